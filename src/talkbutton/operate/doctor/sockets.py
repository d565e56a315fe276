"""Which sockets a part holds open, read from the kernel's tables.

Source: proc(5), ``/proc/net/tcp``; the words of an address are in the machine's byte order.
"""

import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Literal

__all__ = ["OpenSocket", "is_port_open", "open_sockets", "processes_of"]

_LISTENING, _UNCONNECTED = "0A", "07"
_CONNECT_S = 2.0


@dataclass(frozen=True, slots=True)
class OpenSocket:
    """A socket that takes packets or connections from anybody.

    Attributes:
        protocol: Transport.
        address: Address it is bound to; ``0.0.0.0`` and ``::`` are all of them.
        port: Port number.
    """

    protocol: Literal["tcp", "udp"]
    address: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.protocol} {host}:{self.port}"

    @property
    def is_everywhere(self) -> bool:
        """Whether it is bound to every address."""
        return ip_address(self.address).is_unspecified


def processes_of(pid: int) -> list[int]:
    """Return a process and everything below it, as far as it still runs."""
    found = [pid]
    for one in found:
        with suppress(OSError):
            for thread in Path(f"/proc/{one}/task").iterdir():
                found += [int(child) for child in (thread / "children").read_text().split()]
    return found


def open_sockets(pid: int) -> set[OpenSocket]:
    """Return the sockets of a process and everything below it.

    Raises:
        PermissionError: If none of its processes may be looked at.
    """
    inodes: set[str] = set()
    seen = 0
    denied: PermissionError | None = None
    for one in processes_of(pid):
        try:
            descriptors = list(Path(f"/proc/{one}/fd").iterdir())
        except FileNotFoundError:
            continue
        except PermissionError as exc:
            denied = exc
            continue
        seen += 1
        for descriptor in descriptors:
            with suppress(OSError):  # closed in the meantime
                inodes.add(str(descriptor.readlink()).removeprefix("socket:[").removesuffix("]"))
    if denied is not None and seen == 0:
        raise denied
    return {found for found, inode in _kernel_sockets(pid) if inode in inodes}


def is_port_open(address: str, port: int) -> bool:
    """Return whether a TCP port of this machine takes a connection."""
    try:
        socket.create_connection((address, port), timeout=_CONNECT_S).close()
    except OSError:
        return False
    return True


def _kernel_sockets(pid: int) -> Iterator[tuple[OpenSocket, str]]:
    """Yield each socket and its inode, as the process's own network sees them."""
    protocols: tuple[Literal["tcp", "udp"], ...] = ("tcp", "udp")
    for protocol in protocols:
        waiting = _LISTENING if protocol == "tcp" else _UNCONNECTED
        for table in (protocol, f"{protocol}6"):
            with suppress(FileNotFoundError):
                for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                    fields = line.split()
                    address, port = fields[1].split(":")
                    if fields[3] == waiting:
                        yield OpenSocket(protocol, _address(address), int(port, 16)), fields[9]


def _address(text: str) -> str:
    words = [bytes.fromhex(text[start : start + 8]) for start in range(0, len(text), 8)]
    packed = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    return str(IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed))
