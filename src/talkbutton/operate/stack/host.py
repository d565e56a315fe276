"""What this machine is and has: distribution, tools, users, address."""

import grp
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from talkbutton.errors import StackError
from talkbutton.operate.stack.sandbox import Identity

__all__ = [
    "FLOORS",
    "USER",
    "Suite",
    "check_sandbox",
    "choose_suite",
    "ensure_identity",
    "ensure_tools",
    "media_address",
    "parse_candidates",
    "version_of",
]

USER = "talkbutton"
"""The ordinary user that parts run as, where the supervisor is root."""

FLOORS: Mapping[str, tuple[int, ...]] = {
    "asterisk": (22, 8, 2),  # CVE-2026-23738
    "janus": (1, 4),
    "coturn": (4, 17),
}
"""Oldest version of each telephony program that is used."""

_TOOLS = {"bwrap": "bubblewrap", "mmdebstrap": "mmdebstrap"}
_APT_TIMEOUT_S = 600
_APT_WAIT = ["-o", "DPkg::Lock::Timeout=240"]
"""Fresh machines run unattended upgrades: wait for them instead of failing."""
_PROBE_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class Suite:
    """A distribution release to take the telephony programs from.

    Attributes:
        name: Its code name, such as ``sid``.
        components: Its archive areas.
        keyring_package: Package with the keys it is signed with.
    """

    name: str
    components: str = "main"
    keyring_package: str = "debian-archive-keyring"


def version_of(text: str) -> tuple[int, ...]:
    """Return the first dotted number in ``text`` as a tuple; empty where there is none.

    A Debian epoch (``1:22.10``) is left out.
    """
    found = re.search(r"(?:^|[^\d.])(?:\d+:)?(\d+(?:\.\d+)+)", f" {text}")
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def parse_candidates(policy: str) -> dict[str, str]:
    """Return the candidate version of each package in the output of ``apt-cache policy``."""
    found: dict[str, str] = {}
    package = ""
    for line in policy.splitlines():
        if line and not line.startswith(" "):
            package = line.rstrip(":")
        elif line.strip().startswith("Candidate:"):
            found[package] = line.split(":", 1)[1].strip()
    return found


def choose_suite() -> Suite:
    """Return this machine's own release where it is new enough, else Debian sid."""
    done = _run(["apt-cache", "policy", *FLOORS], timeout_s=_APT_TIMEOUT_S)
    candidates = parse_candidates(done.stdout)
    is_new_enough = all(
        version_of(candidates.get(name, "")) >= floor for name, floor in FLOORS.items()
    )
    release = _os_release()
    name = release.get("VERSION_CODENAME")
    if not is_new_enough or name is None:
        return Suite("sid")
    if release.get("ID") == "ubuntu":
        return Suite(name, "main,universe", "ubuntu-keyring")
    return Suite(name)


def ensure_tools(suite: Suite, *, is_root: bool) -> None:
    """Install bubblewrap and mmdebstrap where they are missing.

    Raises:
        StackError: If this is not a Debian-like Linux, or they cannot be installed.
    """
    if not sys.platform.startswith("linux"):
        raise StackError("install", f"{sys.platform} is not Linux", hint="use Debian or Ubuntu")
    if shutil.which("apt-get") is None:
        raise StackError(
            "install",
            "this machine has no apt-get",
            hint="use Debian 12 or Ubuntu 24.04, or newer; a container of one will do",
        )
    missing = [package for tool, package in _TOOLS.items() if shutil.which(tool) is None]
    keyring = ["dpkg-query", "--status", suite.keyring_package]
    if _run(keyring, timeout_s=_PROBE_TIMEOUT_S).returncode:
        missing.append(suite.keyring_package)
    if not missing:
        return
    wanted = " ".join(missing)
    if not is_root:
        raise StackError("install", f"{wanted} missing", hint=f"run: sudo apt-get install {wanted}")
    _apt_install(missing)


def _apt_install(packages: list[str]) -> None:
    install = ["apt-get", *_APT_WAIT, "install", "--yes", "--no-install-recommends", *packages]
    done = _run(install, timeout_s=_APT_TIMEOUT_S)
    if done.returncode:  # the package lists may be missing or old
        _run(["apt-get", *_APT_WAIT, "update"], timeout_s=_APT_TIMEOUT_S)
        done = _run(install, timeout_s=_APT_TIMEOUT_S)
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise StackError(
            "install",
            f"apt-get cannot install {' '.join(packages)}: {said[0]}",
            hint="mend that, then run the same command again",
        )


def ensure_identity() -> Identity:
    """Return whom the parts run as; root makes the user where it does not exist.

    Raises:
        StackError: If the user cannot be made.
    """
    if os.geteuid() != 0:
        return Identity(os.geteuid(), os.getegid(), from_root=False)
    try:
        entry = pwd.getpwnam(USER)
    except KeyError:
        command = ["useradd", "--system", "--user-group", "--no-create-home"]
        command += ["--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", USER]
        done = _run(command, timeout_s=_PROBE_TIMEOUT_S)
        if done.returncode:
            raise StackError(
                "install",
                f"the user {USER} cannot be made: {done.stderr.strip()}",
                hint=f"make it by hand: {' '.join(command)}",
            ) from None
        entry = pwd.getpwnam(USER)
    gid = entry.pw_gid or grp.getgrnam("nogroup").gr_gid
    return Identity(entry.pw_uid, gid, from_root=True)


def check_sandbox() -> None:
    """Try the smallest sandbox.

    Raises:
        StackError: If this machine does not allow one.
    """
    probe = ["bwrap", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
    probe += ["--unshare-pid", "--unshare-ipc", "--unshare-net", "--die-with-parent", "true"]
    done = _run(probe, timeout_s=_PROBE_TIMEOUT_S)
    if done.returncode == 0:
        return
    hint = "in a container, start it with more rights (such as --privileged)"
    if os.geteuid() != 0:
        hint = (
            "allow user namespaces (sysctl kernel.apparmor_restrict_unprivileged_userns=0 on "
            "Ubuntu, kernel.unprivileged_userns_clone=1 on older Debian), or run as root"
        )
    said = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
    raise StackError("sandbox", f"bubblewrap cannot make one here: {said[0]}", hint=hint)


def media_address() -> str:
    """Return this machine's address on the default route; no packet is sent.

    Raises:
        StackError: If there is none.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            address = str(probe.getsockname()[0])
        except OSError:
            address = "0.0.0.0"
    if address.startswith(("127.", "0.")):
        raise StackError(
            "network",
            "this machine has no address but loopback, which browsers never send sound to",
            hint="connect it to a network, or set network.media_address",
        )
    return address


def _os_release() -> dict[str, str]:
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line)
    return {name: value.strip('"') for name, value in pairs}


def _run(command: list[str], *, timeout_s: float) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        return subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise StackError(
            "install", f"{command[0]} cannot be run: {exc}", hint="mend that and try again"
        ) from exc
