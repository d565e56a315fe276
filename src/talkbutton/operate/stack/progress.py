"""Reads mmdebstrap's and apt's output into how far the installation is. Pure."""

import re
from dataclasses import dataclass

__all__ = ["AptProgress", "Progress", "blame"]

_COUNT = re.compile(r"(\d+) newly installed")
_STEPS = ("Get:", "Unpacking ", "Setting up ")
_STARTS = {"Get:": "downloading", "Unpacking ": "unpacking", "Setting up ": "setting up"}
_ROUND_SHARE = ((0.05, 0.3), (0.3, 0.97))  # the essential packages, then all others

_GIVE_SUBUIDS = "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER"
_NETWORK_SIGNS = (
    "Could not resolve",
    "Temporary failure resolving",
    "Could not connect",
    "Connection refused",
    "Connection failed",
    "Connection timed out",
    "Network is unreachable",
    "Failed to fetch",
    "Unable to connect",
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the installation is.

    Attributes:
        fraction: 0 to 1.
        step: What is being done, for a person.
        is_notable: Whether it must not be skipped in a plain list of steps.
    """

    fraction: float
    step: str
    is_notable: bool = False


class AptProgress:
    """Counts what mmdebstrap says with ``--verbose``."""

    def __init__(self) -> None:
        self._round = -1
        self._total = 0
        self._seen: set[str] = set()
        self._fraction = 0.0

    def read(self, line: str) -> Progress | None:
        """Return the progress after one line; None where the line says nothing new."""
        if line.startswith("I: running apt-get update"):
            return self._at(0.01, "reading the package lists")
        if found := _COUNT.search(line):
            self._round = min(self._round + 1, len(_ROUND_SHARE) - 1)
            self._total = max(int(found[1]), 1)
            self._seen.clear()
            return self._at(_ROUND_SHARE[self._round][0], "choosing packages")
        if line.startswith("I: cleaning"):
            return self._at(0.98, "cleaning up")
        start = next((start for start in _STEPS if line.startswith(start)), None)
        if start is None or self._round < 0 or line in self._seen:
            return None
        self._seen.add(line)
        first, last = _ROUND_SHARE[self._round]
        share = min(len(self._seen) / (len(_STEPS) * self._total), 1.0)
        return self._at(first + (last - first) * share, f"{_STARTS[start]} {_package(start, line)}")

    def _at(self, fraction: float, step: str) -> Progress:
        self._fraction = max(self._fraction, fraction)
        return Progress(self._fraction, step)


def _package(start: str, line: str) -> str:
    words = line.removeprefix(start).split()
    # Get:7 http://host/debian sid/main amd64 NAME amd64 1.0 [12 kB]
    name = words[4] if start == "Get:" and len(words) > 4 else words[0]
    return name.split(":")[0]


def blame(output: str) -> tuple[str, str]:
    """Return what went wrong in a failed run and what to do, in a person's words.

    Args:
        output: What mmdebstrap wrote.
    """
    if "No space left on device" in output:
        return "the disk is full", "free 2 GB and run the same command: it carries on"
    if any(sign in output for sign in _NETWORK_SIGNS):
        sign = next(
            line.strip() for line in output.splitlines() if any(s in line for s in _NETWORK_SIGNS)
        )
        return (
            f"packages cannot be downloaded ({sign[:160]})",
            "check the network (and http_proxy), then run the same command: it carries on",
        )
    if "/etc/subuid" in output:
        return (
            "your user has no subordinate user ids, which unpacking a system needs",
            f"run `{_GIVE_SUBUIDS}`, or install as root",
        )
    if "Operation not permitted" in output and ("unshare" in output or "mount" in output):
        return (
            "this machine forbids mount namespaces",
            "in a container, start it with more rights (such as --privileged)",
        )
    last = " | ".join(line.strip() for line in output.splitlines()[-3:] if line.strip())
    return f"mmdebstrap failed: {last[:300] or 'it said nothing'}", "mend that and run it again"
