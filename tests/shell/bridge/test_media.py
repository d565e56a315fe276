"""Media between two real UDP sockets: one end is ``RtpMedia``, the other a plain socket."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from itertools import pairwise

import numpy as np
import pytest

from talkbutton.bridge.media import RtpMedia, StreamStart, draw_stream_start, rtp_opener
from talkbutton.bridge.ports import PortPool
from talkbutton.protocols.audio import (
    LINE_FRAME_BYTES,
    LINE_RATE_HZ,
    CodecName,
    Frame,
    level_dbov,
    open_line_codec,
)
from talkbutton.protocols.rtp import RtpPacket, encode_packet, parse_packet
from talkbutton.settings.model import BridgeSettings, PortRange, Settings

pytestmark = [pytest.mark.shell, pytest.mark.anyio]

HOST = "127.0.0.1"
START = StreamStart(ssrc=0xCAFE, sequence_number=0xFFFE, timestamp=0xFFFF_FF00)
TONE = (8_000 * np.sin(2 * np.pi * 500 * np.arange(320) / LINE_RATE_HZ)).astype("<i2").tobytes()


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
def ports() -> PortPool:
    return PortPool(HOST, PortRange(first=26_200, last=26_399))


@pytest.fixture
def asterisk() -> Iterator[socket.socket]:
    with closing(plain_socket()) as sock:
        yield sock


def plain_socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    sock.bind((HOST, 0))
    return sock


def open_media(
    ports: PortPool, *, codec_name: CodecName = "ulaw", sends_silence: bool = True
) -> RtpMedia:
    return RtpMedia(
        ports,
        codec_name=codec_name,
        start=START,
        delay_min_ms=20,
        delay_max_ms=200,
        sends_silence=sends_silence,
    )


class Line:
    """Takes frames and gives them, as a call does; ``wait_for`` waits for deliveries."""

    def __init__(self, to_say: list[Frame | None] | None = None) -> None:
        self.heard: list[Frame] = []
        self.asked = 0
        self._to_say = to_say or []
        self._delivered = asyncio.Event()

    def deliver(self, frame: Frame) -> None:
        self.heard.append(frame)
        self._delivered.set()

    def next_frame(self) -> Frame | None:
        self.asked += 1
        return self._to_say.pop(0) if self._to_say else None

    async def wait_for(self, is_true: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not is_true():
                self._delivered.clear()
                await self._delivered.wait()


@asynccontextmanager
async def running(media: RtpMedia, line: Line) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(media.run(line.deliver, line.next_frame))
        try:
            yield
        finally:
            run.cancel()
            media.close()


def rtp(number: int, payload: bytes, *, payload_type: int = 0) -> bytes:
    return encode_packet(RtpPacket(payload_type, number, 160 * number, 77, payload))


def received(sock: socket.socket) -> list[RtpPacket]:
    packets = []
    while True:
        try:
            packets.append(parse_packet(sock.recv(2_048)))
        except BlockingIOError:
            return packets


async def test_sends_one_packet_a_tick_with_right_numbers(
    ports: PortPool, asterisk: socket.socket
) -> None:
    media = open_media(ports)
    line = Line([Frame(TONE, LINE_RATE_HZ)] * 5)
    media.pin_peer(*asterisk.getsockname())
    began = time.monotonic()
    async with running(media, line):
        await line.wait_for(lambda: len(line.heard) == 25)
        took_s = time.monotonic() - began
    packets = received(asterisk)
    assert len(packets) in {24, 25}
    assert 0.478 < took_s < 0.8
    for n, packet in enumerate(packets):
        assert packet.sequence_number == (0xFFFE + n) & 0xFFFF
        assert packet.timestamp == (0xFFFF_FF00 + 160 * n) & 0xFFFF_FFFF
        assert (packet.ssrc, packet.payload_type, len(packet.payload)) == (0xCAFE, 0, 160)
        assert packet.marker is (n == 0)
    assert media.snapshot.sent_packets == len(packets)


async def test_silence_is_sent_while_there_is_nothing_to_say(
    ports: PortPool, asterisk: socket.socket
) -> None:
    media = open_media(ports)
    line = Line([Frame(TONE, LINE_RATE_HZ)] * 3)
    media.pin_peer(*asterisk.getsockname())
    async with running(media, line):
        await line.wait_for(lambda: len(line.heard) == 10)
    payloads = [packet.payload for packet in received(asterisk)]
    assert payloads[1] != b"\xff" * 160
    assert payloads[5:9] == [b"\xff" * 160] * 4


async def test_without_silence_a_pause_advances_time_and_ends_with_a_marker(
    ports: PortPool, asterisk: socket.socket
) -> None:
    media = open_media(ports, sends_silence=False)
    tone = Frame(TONE, LINE_RATE_HZ)
    line = Line([tone, tone, None, None, None, tone, tone])
    media.pin_peer(*asterisk.getsockname())
    async with running(media, line):
        await line.wait_for(lambda: len(line.heard) == 9)
    packets = received(asterisk)
    steps = [(packet.timestamp - packets[0].timestamp) & 0xFFFF_FFFF for packet in packets]
    assert steps == [0, 160, 800, 960]
    assert [packet.marker for packet in packets] == [True, False, True, False]
    assert [(p.sequence_number - 0xFFFE) & 0xFFFF for p in packets] == [0, 1, 2, 3]


async def test_first_words_wait_for_their_listener(
    ports: PortPool, asterisk: socket.socket
) -> None:
    media = open_media(ports)
    line = Line([Frame(TONE, LINE_RATE_HZ)] * 3)
    async with running(media, line):
        await line.wait_for(lambda: len(line.heard) == 5)
        assert line.asked == 0
        assert received(asterisk) == []
        media.pin_peer(*asterisk.getsockname())
        await line.wait_for(lambda: line.asked >= 2)
        await line.wait_for(lambda: len(line.heard) == 10)
    first = received(asterisk)[0]
    assert first.marker
    assert first.sequence_number == 0xFFFE
    assert first.timestamp >= 160 * 5 - 0x100
    assert level_dbov(open_line_codec("ulaw").decode(first.payload)) > -30


@pytest.mark.parametrize("codec_name", ["ulaw", "g722"])
async def test_delivers_what_the_peer_sends_as_16_khz_frames(
    ports: PortPool, asterisk: socket.socket, codec_name: CodecName
) -> None:
    media = open_media(ports, codec_name=codec_name)
    media.pin_peer(*asterisk.getsockname())
    line = Line()
    codec = open_line_codec(codec_name)

    async with running(media, line):
        for number in range(15):
            payload = codec.encode(TONE)
            packet = rtp(number, payload, payload_type=codec.payload_type)
            asterisk.sendto(packet, media.local_address)
            ticks = len(line.heard)
            await line.wait_for(lambda ticks=ticks: len(line.heard) > ticks)  # type: ignore[misc]
        await asyncio.wait_for(media.received_first_packet(), 1)
        await line.wait_for(lambda: line.heard[-1].is_concealed and len(line.heard) > 15)
    assert all(
        len(frame.pcm) == LINE_FRAME_BYTES and frame.rate_hz == LINE_RATE_HZ for frame in line.heard
    )
    spoken = [frame for frame in line.heard if not frame.is_concealed]
    assert len(spoken) >= 13
    assert level_dbov(spoken[5].pcm) == pytest.approx(level_dbov(TONE), abs=0.5)


async def test_timeline_keeps_time_when_nothing_comes(ports: PortPool) -> None:
    media = open_media(ports)
    line = Line()
    async with running(media, line):
        await line.wait_for(lambda: len(line.heard) == 10)
    assert all(frame.pcm == bytes(640) and frame.is_concealed for frame in line.heard)
    assert media.snapshot.silent_frames == media.snapshot.delivered_frames
    assert media.snapshot.playout_delay_ms is None


async def test_packets_from_elsewhere_are_dropped_and_counted(
    ports: PortPool, asterisk: socket.socket
) -> None:
    media = open_media(ports)
    line = Line()
    loud = b"\x80" * 160
    with closing(plain_socket()) as stranger:
        async with running(media, line):
            stranger.sendto(rtp(0, loud), media.local_address)
            await line.wait_for(lambda: media.snapshot.early_packets == 1)
            media.pin_peer(*asterisk.getsockname())
            for number in range(5):
                stranger.sendto(rtp(number, loud), media.local_address)
            await line.wait_for(lambda: media.snapshot.foreign_packets == 5)
            ticks = len(line.heard)
            await line.wait_for(lambda: len(line.heard) == ticks + 4)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(media.received_first_packet(), 0.01)
    assert all(frame.pcm == bytes(640) for frame in line.heard)
    assert media.snapshot.received_packets == 0


async def test_bad_packets_of_the_peer_are_dropped_and_counted(
    ports: PortPool, asterisk: socket.socket
) -> None:
    media = open_media(ports)
    line = Line()
    media.pin_peer(*asterisk.getsockname())
    bad = [
        b"",
        b"\x80",
        bytes(65_507),
        b"\x40" + rtp(0, bytes(160))[1:],
        rtp(0, bytes(160), payload_type=101),
        rtp(1, b""),
        rtp(2, bytes(159)),
    ]
    async with running(media, line):
        for datagram in bad:
            asterisk.sendto(datagram, media.local_address)
        asterisk.sendto(rtp(3, bytes(160)), media.local_address)
        await line.wait_for(lambda: media.snapshot.received_packets == 3)
        await line.wait_for(lambda: not line.heard[-1].is_concealed)
    snapshot = media.snapshot
    assert snapshot.malformed_packets == 4
    assert snapshot.other_type_packets == 1
    assert snapshot.misfit_packets == 2


async def test_a_hold_up_skips_ticks_and_loses_nothing_that_was_received(
    ports: PortPool, asterisk: socket.socket
) -> None:
    media = open_media(ports)
    line = Line()
    media.pin_peer(*asterisk.getsockname())
    codec = open_line_codec("ulaw")
    async with running(media, line):
        for number in range(5):
            asterisk.sendto(rtp(number, codec.encode(TONE)), media.local_address)
            ticks = len(line.heard)
            await line.wait_for(lambda ticks=ticks: len(line.heard) > ticks)  # type: ignore[misc]
        for number in range(5, 20):
            asterisk.sendto(rtp(number, codec.encode(TONE)), media.local_address)
        time.sleep(0.3)  # noqa: ASYNC251 - the fault under test
        await line.wait_for(lambda: sum(not frame.is_concealed for frame in line.heard) == 20)
        ticks = len(line.heard)
        await line.wait_for(lambda: len(line.heard) > ticks + 3)
    snapshot = media.snapshot
    assert snapshot.skipped_ticks >= 12
    assert snapshot.tick_late_max_ms > 200
    packets = received(asterisk)
    leaps = [
        (after.timestamp - before.timestamp) & 0xFFFF_FFFF for before, after in pairwise(packets)
    ]
    assert sum(leaps) == 160 * (len(leaps) + snapshot.skipped_ticks)
    for leap, packet in zip(leaps, packets[1:], strict=True):
        assert packet.marker is (leap != 160)
    assert len(line.heard) >= 20 + 3
    assert snapshot.discarded_packets == snapshot.late_packets == 0


async def test_close_frees_the_port_after_its_rest_and_ends_run(ports: PortPool) -> None:
    media = open_media(ports)
    port = media.local_address[1]
    line = Line()
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        tasks.create_task(media.run(line.deliver, line.next_frame))
        await line.wait_for(lambda: len(line.heard) == 2)
        assert port in ports.taken_ports
        media.close()
        media.close()
    assert ports.taken_ports == frozenset()
    assert media.local_address == (HOST, port)
    again = open_media(ports)
    assert again.local_address[1] != port
    again.close()


@pytest.mark.parametrize(
    "frame", [Frame(bytes(640), 8_000), Frame(bytes(320), 16_000)], ids=["rate", "length"]
)
async def test_a_frame_of_the_wrong_form_is_an_error_and_not_noise(
    ports: PortPool, asterisk: socket.socket, frame: Frame
) -> None:
    media = open_media(ports)
    media.pin_peer(*asterisk.getsockname())
    line = Line([frame])
    with pytest.raises(AssertionError):
        await media.run(line.deliver, line.next_frame)
    media.close()


async def test_a_peer_is_a_numeric_address(ports: PortPool) -> None:
    media = open_media(ports)
    with pytest.raises(ValueError, match="localhost"):
        media.pin_peer("localhost", 4_000)
    media.close()


async def test_opener_shares_one_pool_and_draws_each_start_anew() -> None:
    settings = Settings(
        version=1, bridge=BridgeSettings(rtp_ports=PortRange(first=26_400, last=26_403))
    )
    opener = rtp_opener(settings)
    one, other = await opener(), await opener()
    assert one.local_address[1] != other.local_address[1]
    with pytest.raises(OSError, match="no UDP port"):
        await opener()
    one.close()
    other.close()


def test_a_start_takes_as_many_bits_as_each_field_has() -> None:
    assert draw_stream_start(lambda bits: (1 << bits) - 1) == StreamStart(
        0xFFFF_FFFF, 0xFFFF, 0xFFFF_FFFF
    )


async def test_statistics_are_flat_scalars(ports: PortPool) -> None:
    media = open_media(ports)
    statistics = media.statistics()
    assert all(value is None or isinstance(value, int | float) for value in statistics.values())
    assert statistics["received_packets"] == 0
    media.close()
