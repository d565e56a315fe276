"""Sockets without a grant: who drips, floods, hoards or does not read, is dropped.

Each attack is tried with its guard on and off, where the guard can be switched.
"""

import asyncio
import base64
import json
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.certificates import write_certificate
from support.edge_rig import SETTINGS, EdgeRig, running_edge
from talkbutton.edge.tls import Certificate
from talkbutton.runtime.bus import BusMessage
from talkbutton.settings.model import Settings

pytestmark = [pytest.mark.security, pytest.mark.anyio]

WAIT_MAX_S = 8.0
HOLD_S = 0.6  # so long an attack must hold without its guard

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def with_sockets(**sockets: int) -> Settings:
    return SETTINGS.model_copy(update={"edge": SETTINGS.edge.model_copy(update=sockets)})


_opened: list[asyncio.StreamWriter] = []


@pytest.fixture(autouse=True)
async def _close() -> AsyncIterator[None]:
    yield
    while _opened:
        _opened.pop().close()
    await asyncio.sleep(0)


async def connect(rig: EdgeRig, source: str = "127.0.0.1") -> Streams:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port, local_addr=(source, 0))
    _opened.append(writer)
    return reader, writer


async def is_dropped(reader: asyncio.StreamReader, *, within_s: float = WAIT_MAX_S) -> bool:
    """Return whether the edge ends the connection; what it still sends is read away."""
    try:
        async with asyncio.timeout(within_s):
            while await reader.read(65_536):
                pass
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


async def is_served(rig: EdgeRig, source: str = "127.0.0.1") -> bool:
    try:
        reader, writer = await connect(rig, source)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(WAIT_MAX_S):
            answer = await reader.read(100)
        writer.close()
    except ConnectionError:
        return False
    return answer.startswith(b"HTTP/1.1 200")


async def until_served(rig: EdgeRig, source: str) -> None:
    async with asyncio.timeout(WAIT_MAX_S):
        while not await is_served(rig, source):  # noqa: ASYNC110 - seen from outside
            await asyncio.sleep(0.02)


async def upgrade(rig: EdgeRig, source: str = "127.0.0.1") -> Streams:
    """Open a WebSocket by hand, to send frames that no library sends."""
    reader, writer = await connect(rig, source)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET /v1/signaling HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Origin: https://shop.example\r\nSec-WebSocket-Key: {key}\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: talkbutton.v1\r\n\r\n".encode()
    )
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_MAX_S)
    assert head.startswith(b"HTTP/1.1 101"), head
    return reader, writer


def frame(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """Return one masked frame. Source: RFC 6455, section 5.2."""
    head = bytes([(0x80 if fin else 0) | opcode])
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + struct.pack("!H", size)
    return head + length + bytes(4) + payload  # a mask of zeros changes nothing


@asynccontextmanager
async def edge(folder: Path, settings: Settings = SETTINGS) -> AsyncIterator[EdgeRig]:
    async with running_edge(folder, settings=settings) as rig:
        yield rig
        assert (await rig.http.get("/healthz")).status_code == 200


DRIPS = {
    "nothing": b"",
    "half a line": b"POST /v1/sess",
    "headers without end": b"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nX-A: b\r\n",
    "a body that does not come": (
        b"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
    ),
    "half a second request": (
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n"
    ),
}


@pytest.mark.parametrize("sent", DRIPS.values(), ids=DRIPS)
@pytest.mark.parametrize("is_guarded", [True, False])
async def test_a_request_that_is_not_finished_ends_its_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes, *, is_guarded: bool
) -> None:
    deadline_s = 0.3 if is_guarded else 1_000.0
    monkeypatch.setattr("talkbutton.edge.connection.REQUEST_DEADLINE_S", deadline_s)
    async with edge(tmp_path) as rig:
        reader, writer = await connect(rig)
        writer.write(sent)
        within_s = WAIT_MAX_S if is_guarded else HOLD_S
        assert await is_dropped(reader, within_s=within_s) is is_guarded
        writer.close()


ENDLESS = {
    "headers": (b"GET / HTTP/1.1\r\nHost: x\r\n", b"X-A: " + b"a" * 1_000 + b"\r\n"),
    "one header": (b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ", b"a" * 1_000),
    "address": (b"GET /", b"a" * 1_000),
    "body": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n", b"a" * 1_000),
    "trailers": (
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        b"X-A: " + b"a" * 1_000 + b"\r\n",
    ),
}


@pytest.mark.parametrize("is_guarded", [True, False])
@pytest.mark.parametrize(("first", "more"), ENDLESS.values(), ids=ENDLESS)
async def test_a_request_without_end_fills_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: bytes, more: bytes, *, is_guarded: bool
) -> None:
    """4 MB of it are sent; the edge takes 64 kB and what one read brings."""
    if not is_guarded:
        monkeypatch.setattr("talkbutton.edge.connection.REQUEST_MAX_BYTES", 1_000_000_000)
    async with edge(tmp_path) as rig:
        reader, writer = await connect(rig)
        taken = 0
        try:
            writer.write(first)
            for _ in range(4_000):
                writer.write(more)
                await writer.drain()
                taken += len(more)
        except ConnectionError:
            assert is_guarded
        assert (taken < 4_000_000) is is_guarded
        assert await is_dropped(reader, within_s=HOLD_S) is is_guarded


async def test_requests_sent_ahead_of_their_answers_are_bounded(tmp_path: Path) -> None:
    async with edge(tmp_path) as rig:
        reader, writer = await connect(rig)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 10)
        heard = b""
        async with asyncio.timeout(WAIT_MAX_S):
            while heard.count(b"HTTP/1.1 200") < 10:
                heard += await reader.read(65_536)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 4_000)
        assert await is_dropped(reader, within_s=2.0)


async def test_dripping_does_not_buy_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("talkbutton.edge.connection.REQUEST_DEADLINE_S", 0.5)
    async with edge(tmp_path) as rig:
        reader, writer = await connect(rig)
        writer.write(b"GET / HTTP/1.1\r\nX-A: ")
        dropped = asyncio.ensure_future(is_dropped(reader))
        async with asyncio.timeout(WAIT_MAX_S):
            while not dropped.done():
                writer.write(b"a")
                await asyncio.sleep(0.05)
        assert dropped.result()


@pytest.mark.parametrize("is_guarded", [True, False])
async def test_one_address_holds_so_many_connections_and_others_still_come_in(
    tmp_path: Path, *, is_guarded: bool
) -> None:
    settings = with_sockets(sockets_per_address_max=5 if is_guarded else 50)
    async with edge(tmp_path, settings) as rig:
        hoard = [await connect(rig, "127.0.0.9") for _ in range(5)]
        assert await is_served(rig, "127.0.0.9") is not is_guarded
        assert await is_served(rig, "127.0.0.10")
        hoard[0][1].close()
        await until_served(rig, "127.0.0.9")
        for _, writer in hoard:
            writer.close()


async def test_a_websocket_holds_its_place_until_it_is_gone(tmp_path: Path) -> None:
    async with edge(tmp_path, with_sockets(sockets_per_address_max=1)) as rig:
        reader, writer = await upgrade(rig, "127.0.0.9")
        assert not await is_served(rig, "127.0.0.9")
        writer.write(frame(0x8, b""))
        assert await is_dropped(reader)
        writer.close()
        await until_served(rig, "127.0.0.9")


async def test_many_addresses_hold_so_many_connections_in_all(tmp_path: Path) -> None:
    async with running_edge(tmp_path, settings=with_sockets(sockets_max=12)) as rig:
        hoard = [await connect(rig, f"127.0.1.{number}") for number in range(11)]
        assert not await is_served(rig, "127.0.2.1")
        for _, writer in hoard:
            writer.close()
        await until_served(rig, "127.0.2.1")


async def test_a_handshake_that_does_not_come_is_given_up_and_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("talkbutton.edge.server._HANDSHAKE_DEADLINE_S", 0.5)
    certificate = Certificate(*write_certificate(tmp_path))
    settings = with_sockets(sockets_per_address_max=2)
    async with running_edge(tmp_path, settings=settings, certificate=certificate) as rig:
        half_open = [await connect(rig, "127.0.0.9") for _ in range(2)]
        third, _ = await connect(rig, "127.0.0.9")
        assert await is_dropped(third, within_s=HOLD_S)
        assert all([await is_dropped(reader) for reader, _ in half_open])
        again, writer = await connect(rig, "127.0.0.9")
        writer.write(b"this is no ClientHello\r\n\r\n")
        assert await is_dropped(again)
        assert (await rig.http.get("/healthz")).status_code == 200


async def test_a_socket_without_a_grant_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("talkbutton.protocols.signaling.session.START_DEADLINE_S", 0.3)
    async with edge(tmp_path) as rig, rig.visitor() as visitor:
        last, close_code = await visitor.hear_end()
        assert (last or {}).get("code") == "timeout"
        assert close_code == 4009


async def test_pings_are_bounded(tmp_path: Path) -> None:
    async with edge(tmp_path) as rig:
        reader, writer = await upgrade(rig)
        writer.write(frame(0x9, b"p") * 10)
        assert await asyncio.wait_for(reader.readexactly(30), WAIT_MAX_S)
        writer.write(frame(0x9, b"p") * 100)
        assert await is_dropped(reader, within_s=2.0)


async def test_fragments_are_bounded(tmp_path: Path) -> None:
    async with edge(tmp_path) as rig:
        reader, writer = await upgrade(rig)
        writer.write(frame(0x1, b"", fin=False) + frame(0x0, b"", fin=False) * 200)
        assert await is_dropped(reader, within_s=2.0)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(0x1, b"{" * 65_000) + frame(0x1, b"x"), 4002),
        (frame(0x1, b"{" * 40_000, fin=False) + frame(0x0, b"{" * 40_000), 1009),
        (frame(0x2, b"\x00\x01"), 4002),
        (frame(0x1, b"\xff\xfe"), 1007),
        (b"\x81\x05hello", 1002),  # not masked
        (b"\xff\x80\x00\x00\x00\x00", 1002),  # reserved bits and opcode
    ],
    ids=["long", "long in pieces", "bytes", "not utf-8", "not masked", "reserved"],
)
async def test_a_wrong_frame_ends_the_socket(tmp_path: Path, sent: bytes, code: int) -> None:
    async with edge(tmp_path) as rig:
        reader, writer = await upgrade(rig)
        writer.write(sent)
        heard = b""
        async with asyncio.timeout(WAIT_MAX_S):
            while struct.pack("!H", code) not in heard:
                heard += (more := await reader.read(1_000))
                assert more, heard


async def test_a_reader_who_is_too_slow_is_dropped_and_hung_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real socket with a small window, which is never read while captions come."""
    monkeypatch.setattr("talkbutton.edge.outbox.SEND_DEADLINE_S", 0.5)
    async with edge(tmp_path) as rig:
        raw = socket.socket()  # the test's part of it stays small too
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", rig.port))
        reader, writer = await asyncio.open_connection(sock=raw, limit=1_024)
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            "GET /v1/signaling HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nOrigin: https://shop.example\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: talkbutton.v1\r\n\r\n".encode()
        )
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_MAX_S)
        session = (await rig.ask()).json()
        start = json.dumps({"type": "start", "token": session["token"]}).encode()
        writer.write(frame(0x1, start))
        await rig.record(session["call_id"], until="signaling.opened")
        reader._transport.pause_reading()  # type: ignore[attr-defined] # a visitor who stops reading
        caption = {"speaker": "bot", "utterance_id": "u", "text": "x" * 900, "final": True}
        told = 0

        async def tell() -> None:
            nonlocal told
            while True:
                rig.bridge.publish(BusMessage("caption", session["call_id"], caption))
                told += 1
                await asyncio.sleep(0.001)

        telling = asyncio.ensure_future(tell())
        try:
            events = await rig.record(session["call_id"], until="signaling.closed")
        finally:
            telling.cancel()
        assert dict(events)["call.ended"]["error"] == "too_slow"
        assert told > 64
        writer.close()
