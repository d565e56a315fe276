"""Datagrams on a socket that somebody else has bound.

Nothing here waits: datagrams are handed over as they come, and one that cannot be sent is
counted and gone, as it would be in the network.
"""

import asyncio
import socket
from collections.abc import Callable

__all__ = ["DATAGRAM_MAX_BYTES", "Address", "UdpEndpoint", "address_of"]

Address = tuple[str, int]
"""Numeric host and port."""

DATAGRAM_MAX_BYTES = 2_048
"""Longest datagram that is handed over; RTP fits an Ethernet frame."""

_BATCH_MAX_DATAGRAMS = 64


class UdpEndpoint:
    """Sends and receives on one socket.

    Args:
        sock: Bound and non-blocking; stays the caller's to close, after ``close``.
        on_datagram: Called with each datagram and its source.
    """

    def __init__(self, sock: socket.socket, on_datagram: Callable[[bytes, Address], None]) -> None:
        self.unsent_datagrams = 0
        """Refused by the system: full buffer, no route, nobody there."""
        self.oversize_datagrams = 0
        """Longer than ``DATAGRAM_MAX_BYTES``, and dropped."""
        self._socket = sock
        self._on_datagram = on_datagram
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False

    @property
    def local_address(self) -> Address:
        """Where it receives."""
        return address_of(self._socket.getsockname())

    def open(self) -> None:
        """Start to receive, on the running event loop."""
        assert self._loop is None
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self.receive_waiting)

    def close(self) -> None:
        """Stop; further calls do nothing."""
        if self._loop is not None and not self._is_closed:
            self._loop.remove_reader(self._socket)
        self._is_closed = True

    def send(self, datagram: bytes, to: Address) -> None:
        """Send or count."""
        if self._is_closed:
            return
        try:
            self._socket.sendto(datagram, to)
        except OSError:
            self.unsent_datagrams += 1

    def receive_waiting(self) -> None:
        """Hand over what the system holds already; useful after the event loop was held up."""
        for _ in range(_BATCH_MAX_DATAGRAMS):
            if self._is_closed:
                return
            try:
                datagram, source = self._socket.recvfrom(DATAGRAM_MAX_BYTES + 1)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error of an earlier datagram
            if len(datagram) > DATAGRAM_MAX_BYTES:
                self.oversize_datagrams += 1
            else:
                self._on_datagram(datagram, address_of(source))


def address_of(name: tuple[str, int] | tuple[str, int, int, int]) -> Address:
    """Return host and port of a socket name of IPv4 or IPv6."""
    return name[0], name[1]
