"""Finds ports that something else holds, before a part stumbles over them."""

import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from talkbutton.errors import StackError
from talkbutton.settings.model import Settings

__all__ = ["LOW_PORTS", "Listener", "check_ports", "holder", "listeners"]

LOW_PORTS = 1_024
"""Ports below it are for root, and for who is allowed this alone."""

_LISTENING = "0A"  # TCP_LISTEN in /proc/net/tcp


@dataclass(frozen=True, slots=True)
class Listener:
    """One address and port that a part will listen on.

    Attributes:
        part: The part.
        setting: The setting that changes the port.
        protocol: Transport.
        address: IP address.
        port: Port number.
    """

    part: str
    setting: str
    protocol: Literal["tcp", "udp"]
    address: str
    port: int


def listeners(settings: Settings) -> list[Listener]:
    """Return every fixed port of the stack; ``network.media_address`` must be an address."""
    private, media = settings.network.private_address, settings.network.media_address
    turn = settings.turn_address(media)
    found = [
        Listener("edge", "edge.port", "tcp", settings.edge.listen_address, settings.edge.port),
        Listener("coturn", "turn.port", "udp", turn, settings.turn.port),
        Listener("coturn", "turn.port", "tcp", turn, settings.turn.port),
        Listener("janus", "janus.api_port", "tcp", private, settings.janus.api_port),
        Listener("asterisk", "asterisk.sip_port", "udp", private, settings.asterisk.sip_port),
        Listener("asterisk", "asterisk.http_port", "tcp", private, settings.asterisk.http_port),
    ]
    for address, port in settings.turn.other_listeners():
        found.append(Listener("coturn", "turn.also_listen", "tcp", address, port))
        found.append(Listener("coturn", "turn.also_listen", "udp", address, port))
    if settings.turn.tls_certificate is not None:
        found.append(Listener("coturn", "turn.tls_port", "tcp", turn, settings.turn.tls_port))
    return found


def check_ports(settings: Settings) -> None:
    """Try to bind every fixed port once.

    Raises:
        StackError: For the first one that is taken, or whose address is not of this machine.
    """
    for listener in listeners(settings):
        _check(listener)


def _check(listener: Listener) -> None:
    family = socket.AF_INET6 if ":" in listener.address else socket.AF_INET
    kind = socket.SOCK_STREAM if listener.protocol == "tcp" else socket.SOCK_DGRAM
    where = f"{listener.address} {listener.protocol} port {listener.port}"
    with socket.socket(family, kind) as probe:
        if listener.protocol == "tcp":  # as servers do: a port in TIME_WAIT is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listener.address, listener.port))
        except PermissionError as exc:
            raise StackError(
                listener.part,
                f"{where} is for root only",
                hint=f"set {listener.setting} to 1024 or more",
            ) from exc
        except OSError as exc:
            if exc.errno is not None and "assign" in str(exc.strerror):
                raise StackError(
                    listener.part,
                    f"{listener.address} is not an address of this machine",
                    hint="change it in the settings, or use the default",
                ) from exc
            by = holder(listener.protocol, listener.port) or "another program"
            raise StackError(
                listener.part,
                f"{where} is already taken by {by}",
                hint=f"stop that, or set {listener.setting} to another port",
            ) from exc


def holder(protocol: Literal["tcp", "udp"], port: int) -> str | None:
    """Return name and process id of who holds a local port, as far as we may see."""
    inodes = _inodes(protocol, port)
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(str(link.readlink()) in wanted for link in (process / "fd").iterdir()):
                name = (process / "comm").read_text(encoding="utf-8").strip()
                return f"{name} (process {process.name})"
    return None


def _inodes(protocol: str, port: int) -> set[str]:
    found = set()
    for table in (protocol, f"{protocol}6"):
        with suppress(OSError):
            for line in Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                local = re.fullmatch(r"[0-9A-F]+:([0-9A-F]{4})", fields[1])
                is_listening = protocol == "udp" or fields[3] == _LISTENING
                if local and int(local[1], 16) == port and is_listening:
                    found.add(fields[9])
    return found
