"""Networks of machines, each a network namespace of the kernel, joined by a switch.

A namespace has no name and no file: a sleeping process holds it. The kernel kills that process
when the test dies, however it dies, and with the last process goes the namespace with all that is
in it. So nothing can be left behind, and two runs cannot meet.
"""

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["Host", "switched_network"]

_LIFE_MAX_S = 600
_COMMAND_MAX_S = 30
_START_MAX_S = 10.0
_DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL")


@dataclass(frozen=True, slots=True)
class Host:
    """A machine of its own: devices, addresses, routes, firewall, and loopback.

    Attributes:
        name: For people.
        v4: Its IPv4 address; empty for a switch.
        v6: Its IPv6 address; empty for a switch.
        pid: Process that holds the namespace.
    """

    name: str
    v4: str
    v6: str
    pid: int

    def command(self, *argv: str) -> list[str]:
        """Return the command line that runs ``argv`` on this machine, and dies with the test."""
        return [*_DIES_WITH_US, "nsenter", f"--net=/proc/{self.pid}/ns/net", "--", *argv]

    def run(self, *argv: str, text: str | None = None) -> str:
        """Run a command on this machine to its end and return what it printed."""
        done = subprocess.run(
            self.command(*argv),
            input=text,
            capture_output=True,
            text=True,
            timeout=_COMMAND_MAX_S,
            check=False,
        )
        assert done.returncode == 0, f"{self.name}: {' '.join(argv)}: {done.stderr}"
        return done.stdout

    def start(self, *argv: str) -> "subprocess.Popen[str]":
        """Start a command on this machine, with pipes to it and from it."""
        pipe = subprocess.PIPE
        return subprocess.Popen(self.command(*argv), stdin=pipe, stdout=pipe, text=True)


@contextmanager
def switched_network(names: Sequence[str]) -> Iterator[dict[str, Host]]:
    """Join new machines by one switch: 10.77.0.N/24 and fd77::N/64, in the order of ``names``."""
    if os.geteuid() != 0:
        pytest.fail("only root can make network namespaces: run the netns tests as root")
    with ExitStack() as stack:
        switch = stack.enter_context(_machine("switch", "", ""))
        switch.run("ip", "link", "add", "switch", "type", "bridge")
        switch.run("ip", "link", "set", "switch", "up")
        hosts = {}
        for number, name in enumerate(names, start=1):
            host = stack.enter_context(_machine(name, f"10.77.0.{number}", f"fd77::{number}"))
            _plug_in(host, switch, f"port{number}")
            hosts[name] = host
        yield hosts


@contextmanager
def _machine(name: str, v4: str, v6: str) -> Iterator[Host]:
    holder = subprocess.Popen([*_DIES_WITH_US, "unshare", "--net", "sleep", str(_LIFE_MAX_S)])
    try:
        host = Host(name, v4, v6, holder.pid)
        _wait_for_own_network(holder)
        host.run("ip", "link", "set", "lo", "up")
        yield host
    finally:
        holder.kill()
        holder.wait()


def _wait_for_own_network(holder: "subprocess.Popen[bytes]") -> None:
    ours = Path("/proc/self/ns/net").readlink()
    give_up_at = time.monotonic() + _START_MAX_S
    while Path(f"/proc/{holder.pid}/ns/net").readlink() == ours:
        assert holder.poll() is None, "this machine allows no network namespace"
        assert time.monotonic() < give_up_at, "a network namespace is not made"
        time.sleep(0.005)


def _plug_in(host: Host, switch: Host, port: str) -> None:
    pair = ("type", "veth", "peer", "name", port, "netns", str(switch.pid))
    host.run("ip", "link", "add", "eth0", *pair)
    switch.run("ip", "link", "set", port, "master", "switch", "up")
    host.run("ip", "address", "add", f"{host.v4}/24", "dev", "eth0")
    host.run("ip", "address", "add", f"{host.v6}/64", "dev", "eth0", "nodad")
    host.run("ip", "link", "set", "eth0", "up")
