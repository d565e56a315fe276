"""Run on a machine of a test network: answers on ports, or finds out which ports answer.

``listen`` reads ports from standard input, opens each for TCP and UDP, IPv4 and IPv6, prints
``ready`` and answers until it is killed. ``probe`` reads ways and prints those that answered.
"""

import asyncio
import json
import resource
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

__all__: list[str] = []

_FILES_MAX = 16_384
_EXPECTED_MAX_S = 25.0
_GRACE_S = 0.7
"""How long to go on for answers that nobody expects; what is let through answers at once."""
_AGAIN_S = 0.3
_TRIES = 90


def _bound(kind: socket.SocketKind, family: int, port: int) -> socket.socket:
    made = socket.socket(family, kind)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6 and kind == socket.SOCK_STREAM:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    made.bind(("", port))
    return made


class _Answer(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if data == b"?":
            self._transport.sendto(b"!", addr)


async def _greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        writer.write(b"!")
        writer.close()
        await writer.wait_closed()


async def _listen(ports: list[int]) -> None:
    loop = asyncio.get_running_loop()
    kept: list[Any] = []
    for port in ports:
        stream = _bound(socket.SOCK_STREAM, socket.AF_INET6, port)
        kept.append(await asyncio.start_server(_greet, sock=stream, backlog=500))
        for family in (socket.AF_INET, socket.AF_INET6):
            datagrams = _udp(family, port)
            kept.append(await loop.create_datagram_endpoint(_Answer, sock=datagrams))
    print("ready", flush=True)  # noqa: T201 read by the test
    await asyncio.Event().wait()


def _udp(family: int, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind(("", port))
    return made


async def _answers(protocol: str, address: str, port: int, source_port: int) -> None:
    """Return when the port has answered."""
    if protocol == "tcp":
        reader, writer = await asyncio.open_connection(address, port)
        assert await reader.readexactly(1) == b"!"
        writer.close()
        return
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with _udp(family, source_port) as asking:
        asking.connect((address, port))
        for _ in range(_TRIES):  # what waits for the neighbour's address may be dropped
            with suppress(OSError):
                asking.send(b"?")
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_AGAIN_S):
                    assert await loop.sock_recv(asking, 1) == b"!"
                    return
        raise TimeoutError


async def _echoes(address: str) -> None:
    """Return when the machine has answered an ICMP echo request (RFC 792, RFC 4443)."""
    is_v6 = ":" in address
    family = socket.AF_INET6 if is_v6 else socket.AF_INET
    kind = socket.IPPROTO_ICMPV6 if is_v6 else socket.IPPROTO_ICMP
    request = b"\x80\0\0\0\0\0\0\0" if is_v6 else b"\x08\0\xf7\xff\0\0\0\0"
    reply_type, skipped_bytes = (0x81, 0) if is_v6 else (0, 20)
    loop = asyncio.get_running_loop()
    with socket.socket(family, socket.SOCK_RAW, kind) as asking:
        asking.setblocking(False)
        asking.connect((address, 0))
        for _ in range(_TRIES):
            with suppress(OSError):
                asking.send(request)
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_AGAIN_S):
                    while (await loop.sock_recv(asking, 64))[skipped_bytes] != reply_type:
                        pass  # neighbour discovery, which raw sockets hear too
                    return
        raise TimeoutError


async def _probe(ways: list[list[Any]], expected: int) -> list[int]:
    """Return the numbers of the ways that answered; waits for so many, then for more."""
    answered: list[int] = []
    enough = asyncio.Event()

    async def go(number: int, way: list[Any]) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            await (_echoes(way[1]) if way[0] == "icmp" else _answers(*way))
            answered.append(number)
        if len(answered) >= expected:
            enough.set()

    tasks = [asyncio.create_task(go(number, way)) for number, way in enumerate(ways)]
    with suppress(TimeoutError):
        if expected:
            await asyncio.wait_for(enough.wait(), _EXPECTED_MAX_S)
    await asyncio.wait(tasks, timeout=_GRACE_S)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return answered


def _orders() -> Iterator[Any]:
    for line in sys.stdin:
        yield json.loads(line)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES_MAX, _FILES_MAX))
    order = next(_orders())
    if sys.argv[1] == "listen":
        asyncio.run(_listen(order))
    else:
        print(json.dumps(asyncio.run(_probe(order["ways"], order["expected"]))))  # noqa: T201
