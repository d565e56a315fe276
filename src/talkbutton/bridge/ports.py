"""UDP ports for media, handed out as bound sockets.

Binding is the test for whether a port is free, and the bound socket itself is handed over, so
nobody can take the port in between. A port that was given back rests: packets that are still
under way to a dead call must not enter the next one.
"""

import errno
import socket
import time
from collections.abc import Callable

from talkbutton.settings.model import PortRange

__all__ = ["PortPool"]

_RECEIVE_BUFFER_BYTES = 256 * 1024


class PortPool:
    """The even ports of a range, in turn, so that each is reused as late as possible.

    Args:
        host: Numeric address to bind.
        ports: The range; odd ports stay free for RTCP.
        rest_s: Seconds before a port that was given back is used again.
        now: Returns monotonic seconds.
    """

    def __init__(
        self,
        host: str,
        ports: PortRange,
        *,
        rest_s: float = 5.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host
        self._ports = range(ports.first + ports.first % 2, ports.last + 1, 2)
        self._setting = f"bridge.rtp_ports ({ports.first} to {ports.last})"
        self._rest_s = rest_s
        self._now = now
        self._next = 0
        self._taken: set[int] = set()
        self._rested_at: dict[int, float] = {}

    @property
    def taken_ports(self) -> frozenset[int]:
        """Ports that are in use by calls."""
        return frozenset(self._taken)

    def take(self) -> socket.socket:
        """Return a bound, non-blocking UDP socket; give it back with ``give_back``.

        Raises:
            OSError: If every port is in use or at rest, or the address is not this machine's.
        """
        for _ in range(len(self._ports)):
            port = self._ports[self._next % len(self._ports)]
            self._next += 1
            if port in self._taken or self._is_resting(port):
                continue
            sock = self._bind(port)
            if sock is not None:
                self._taken.add(port)
                return sock
        raise OSError(
            errno.EADDRINUSE,
            f"no UDP port of {self._setting} is free on {self._host}; "
            "widen the range, or end what else uses these ports",
        )

    def give_back(self, sock: socket.socket) -> None:
        """Close a socket from ``take`` and let its port rest."""
        port = sock.getsockname()[1]
        sock.close()
        self._taken.discard(port)
        self._rested_at[port] = self._now() + self._rest_s

    def _is_resting(self, port: int) -> bool:
        rested_at = self._rested_at.get(port)
        if rested_at is None:
            return False
        if self._now() < rested_at:
            return True
        del self._rested_at[port]
        return False

    def _bind(self, port: int) -> socket.socket | None:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
            sock.bind((self._host, port))
        except OSError as exc:
            sock.close()
            if exc.errno in {errno.EADDRINUSE, errno.EACCES}:
                return None
            raise OSError(
                exc.errno,
                f"can not receive media on {self._host}: {exc.strerror}; "
                "set network.private_address to an address of this machine",
            ) from exc
        return sock
