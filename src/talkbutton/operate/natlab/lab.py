"""Builds a network out of namespaces, and removes it on every way out.

    with running_lab(NETWORKS["symmetric"]) as lab:
        lab.popen("visitor", ["chromium", ...])

Names begin with ``tblab`` and the process id of whoever built them. What a killed process left
behind is removed by the next one. It needs root, iproute2 and nftables.
"""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from talkbutton.errors import StackError
from talkbutton.operate.natlab.network import Network
from talkbutton.operate.natlab.plan import PROXY_PORT, Plan, Step, plan

__all__ = ["Lab", "clear_leftovers", "leftovers", "running_lab"]

_STEP_DEADLINE_S = 10
_STOP_DEADLINE_S = 5
_TOOLS = {"ip": "iproute2", "nft": "nftables", "sysctl": "procps"}
_NAME = re.compile(r"tblab(\d+)-[a-z0-9]+")
_NETNS = Path("/var/run/netns")
_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


@dataclass
class Lab:
    """A network that is up.

    Attributes:
        network: What it is.
        plan: How it was made.
        proxy_url: The HTTP proxy that the visitor must use; None without one.
    """

    network: Network
    plan: Plan
    proxy_url: str | None = None
    _running: list[subprocess.Popen[Any]] = field(default_factory=list)

    def namespace(self, role: str) -> str:
        """Return the full name of a namespace, such as that of ``visitor``."""
        assert role in self.plan.namespaces, role
        return f"tblab{os.getpid()}-{role}"

    def inside(self, role: str, command: Sequence[str]) -> list[str]:
        """Return the command line that runs ``command`` in a namespace."""
        return ["ip", "netns", "exec", self.namespace(role), *command]

    @contextmanager
    def entered(self, role: str) -> Iterator[None]:
        """Let this thread, and what it starts, be in a namespace; sockets stay where they were.

        Raises:
            StackError: If the namespace cannot be entered.
        """
        with (
            Path("/proc/thread-self/ns/net").open("rb") as before,
            (_NETNS / self.namespace(role)).open("rb") as wanted,
        ):
            _set_namespace(wanted.fileno())
            try:
                yield
            finally:
                _set_namespace(before.fileno())

    def popen(self, role: str, command: Sequence[str], **options: Any) -> "subprocess.Popen[Any]":
        """Start a process in a namespace; it is ended with the laboratory."""
        process = subprocess.Popen(self.inside(role, command), start_new_session=True, **options)
        self._running.append(process)
        return process

    def stop(self) -> None:
        """End all processes that were started here."""
        for process in reversed(self._running):
            _end(process)
        self._running.clear()


@contextmanager
def running_lab(network: Network) -> Iterator[Lab]:
    """Build ``network``, and remove it again.

    Raises:
        StackError: If this machine cannot build it; says what to do.
    """
    _check_machine()
    clear_leftovers()
    planned = plan(network)
    lab = Lab(network, planned)
    with ExitStack() as undo:
        undo.callback(_remove, [lab.namespace(role) for role in planned.namespaces])
        undo.callback(lab.stop)
        _build(lab)
        if planned.has_weather:
            _start_ready(lab, "internet", "weather", [network.name])
        if planned.proxy_address is not None:
            _start_ready(lab, "r1", "proxy", [planned.proxy_address, str(PROXY_PORT)])
            lab.proxy_url = f"http://{planned.proxy_address}:{PROXY_PORT}"
        yield lab


def leftovers() -> list[str]:
    """Return the namespaces of laboratories whose process is gone."""
    names = [path.name for path in _NETNS.iterdir()] if _NETNS.is_dir() else []
    found = [(name, _NAME.fullmatch(name)) for name in names]
    return [name for name, match in found if match and not _is_alive(int(match[1]))]


def clear_leftovers() -> None:
    """Remove what killed laboratories left, processes in them included."""
    _remove(leftovers())


def _set_namespace(descriptor: int) -> None:
    # os.setns comes with Python 3.12.
    if _LIBC.setns(descriptor, _CLONE_NEWNET) != 0:
        raise StackError(
            "natlab",
            f"a namespace cannot be entered: {os.strerror(ctypes.get_errno())}",
            hint="run it with sudo",
        )


def _check_machine() -> None:
    if os.geteuid() != 0:
        raise StackError("natlab", "needs root to make networks", hint="run it with sudo")
    for tool, package in _TOOLS.items():
        if shutil.which(tool) is None:
            raise StackError(
                "natlab", f"{tool} is missing", hint=f"run: sudo apt-get install {package}"
            )


def _build(lab: Lab) -> None:
    for role in lab.plan.namespaces:
        _run(["ip", "netns", "add", lab.namespace(role)])
        for group in ("all", "default"):  # nobody else is there to have the same address
            _take(
                Step(role, "sysctl", (f"net.ipv6.conf.{group}.accept_dad=0",)), lab.namespace(role)
            )
        _run(["ip", "-n", lab.namespace(role), "link", "set", "lo", "up"])
    for cable in lab.plan.cables:
        inner, outer = lab.namespace(cable.inner), lab.namespace(cable.outer)
        ends = ["wan", "netns", inner, "type", "veth", "peer", "name", cable.outer_name]
        _run(["ip", "link", "add", *ends, "netns", outer])
    for step in lab.plan.steps:
        _take(step, lab.namespace(step.namespace))


def _take(step: Step, namespace: str) -> None:
    match step.kind:
        case "ip":
            _run(["ip", "-n", namespace, *step.words])
        case "sysctl":
            _run(["ip", "netns", "exec", namespace, "sysctl", "-qw", *step.words])
        case "nft":
            [rules] = step.words
            _run(["ip", "netns", "exec", namespace, "nft", "-f", "-"], said=rules)


def _run(command: list[str], *, said: str | None = None) -> None:
    try:
        done = subprocess.run(
            command,
            input=said,
            capture_output=True,
            text=True,
            timeout=_STEP_DEADLINE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise StackError("natlab", f"{command[0]} does not end", hint="try again") from None
    if done.returncode:
        reason = done.stderr.strip().splitlines()[:1] or ["no reason given"]
        raise StackError(
            "natlab",
            f"`{' '.join(command)}` failed: {reason[0]}",
            hint="this kernel may lack network namespaces, nftables or tun devices",
        )


def _ask(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _start_ready(lab: Lab, role: str, module: str, arguments: list[str]) -> None:
    """Start a helper of the laboratory and wait for its first line."""
    command = [sys.executable, "-m", f"talkbutton.operate.natlab.{module}", *arguments]
    process = lab.popen(role, command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    if process.stdout.readline().strip() != "ready":
        raise StackError("natlab", f"the {module} did not start", hint="see its words above")


def _remove(namespaces: Sequence[str]) -> None:
    for name in namespaces:
        if not (_NETNS / name).exists():
            continue
        for pid in _ask(["ip", "netns", "pids", name]).split():  # all of them are ours
            _kill(int(pid))
        _ask(["ip", "netns", "del", name])


def _end(process: "subprocess.Popen[Any]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            _kill(process.pid)
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
