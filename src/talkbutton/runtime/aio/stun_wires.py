"""UDP and TCP as a STUN client uses them.

Source: RFC 8489, section 6.2.
"""

import asyncio
import struct
from contextlib import suppress

__all__ = ["StunWire", "open_tcp", "open_udp"]

_LENGTHS = struct.Struct("!HH")
_UNREAD_MAX_PACKETS = 64


class StunWire:
    """Sends and receives whole STUN messages.

    Attributes:
        may_lose: Whether what is sent may be lost, and has to be sent again.
    """

    may_lose: bool

    def send(self, packet: bytes) -> None:
        """Send one message, without waiting."""
        raise NotImplementedError

    async def receive(self) -> bytes:
        """Wait for the next packet.

        Raises:
            OSError: If the other side cannot be reached.
            EOFError: If it closed the connection.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Send and receive no more."""
        raise NotImplementedError


class _UdpWire(StunWire, asyncio.DatagramProtocol):
    may_lose = True

    def __init__(self) -> None:
        self._heard: asyncio.Queue[bytes | Exception] = asyncio.Queue(_UNREAD_MAX_PACKETS)
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002
        self._hear(data)

    def error_received(self, exc: Exception) -> None:
        self._hear(exc)

    def _hear(self, heard: bytes | Exception) -> None:
        with suppress(asyncio.QueueFull):
            self._heard.put_nowait(heard)

    def send(self, packet: bytes) -> None:
        assert self._transport is not None
        self._transport.sendto(packet)

    async def receive(self) -> bytes:
        heard = await self._heard.get()
        if isinstance(heard, Exception):
            raise heard
        return heard

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class _TcpWire(StunWire):
    may_lose = False

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def send(self, packet: bytes) -> None:
        self._writer.write(packet)

    async def receive(self) -> bytes:
        head = await self._reader.readexactly(20)
        return head + await self._reader.readexactly(_LENGTHS.unpack_from(head)[1])

    def close(self) -> None:
        self._writer.close()


async def open_udp(host: str, port: int) -> StunWire:
    """Open a UDP port that talks to one server."""
    loop = asyncio.get_running_loop()
    _, wire = await loop.create_datagram_endpoint(_UdpWire, remote_addr=(host, port))
    return wire


async def open_tcp(host: str, port: int) -> StunWire:
    """Connect to a server over TCP."""
    return _TcpWire(*await asyncio.open_connection(host, port))
