import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from talkbutton.runtime.aio.udp import DATAGRAM_MAX_BYTES, Address, UdpEndpoint, address_of

pytestmark = [pytest.mark.shell, pytest.mark.anyio]


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    with closing(bound()) as near, closing(bound()) as far:
        yield near, far


def bound() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    sock.bind(("127.0.0.1", 0))
    return sock


class Inbox:
    """Datagrams as they came, and a way to wait for a number of them."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, Address]] = []
        self._arrived = asyncio.Event()

    def take(self, datagram: bytes, source: Address) -> None:
        self.got.append((datagram, source))
        self._arrived.set()

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.got) < count:
                self._arrived.clear()
                await self._arrived.wait()


async def test_sends_and_receives_with_the_source(
    sockets: tuple[socket.socket, socket.socket],
) -> None:
    inbox = Inbox()
    near, far = (UdpEndpoint(sock, inbox.take) for sock in sockets)
    near.open()
    far.send(b"one", near.local_address)
    far.send(b"two", near.local_address)
    await inbox.wait_for(2)
    assert inbox.got == [(b"one", far.local_address), (b"two", far.local_address)]
    near.close()


async def test_drops_and_counts_what_is_too_long(
    sockets: tuple[socket.socket, socket.socket],
) -> None:
    inbox = Inbox()
    near, far = (UdpEndpoint(sock, inbox.take) for sock in sockets)
    near.open()
    for size in (65_507, DATAGRAM_MAX_BYTES + 1, DATAGRAM_MAX_BYTES, 0):
        far.send(bytes(size), near.local_address)
    await inbox.wait_for(2)
    assert [len(datagram) for datagram, _ in inbox.got] == [DATAGRAM_MAX_BYTES, 0]
    assert near.oversize_datagrams == 2
    near.close()


async def test_counts_what_the_system_does_not_take(
    sockets: tuple[socket.socket, socket.socket],
) -> None:
    near = UdpEndpoint(sockets[0], Inbox().take)
    near.send(bytes(70_000), sockets[1].getsockname())
    assert near.unsent_datagrams == 1


async def test_hands_over_at_once_what_is_waiting(
    sockets: tuple[socket.socket, socket.socket],
) -> None:
    inbox = Inbox()
    near, far = (UdpEndpoint(sock, inbox.take) for sock in sockets)
    for number in range(10):
        far.send(bytes([number]), near.local_address)
    near.receive_waiting()
    assert len(inbox.got) == 10


async def test_is_silent_once_closed(sockets: tuple[socket.socket, socket.socket]) -> None:
    inbox = Inbox()
    near, far = (UdpEndpoint(sock, inbox.take) for sock in sockets)
    near.open()
    near.close()
    near.close()
    far.send(b"late", near.local_address)
    near.receive_waiting()
    near.send(b"late", far.local_address)
    assert inbox.got == []
    with pytest.raises(BlockingIOError):
        sockets[1].recv(10)


def test_address_of_ipv6_leaves_out_flow_and_scope() -> None:
    assert address_of(("::1", 4000, 0, 0)) == ("::1", 4000)
