"""Attacks on the bridge's media port, with RTP of the attack's own; and what a bot can not do."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, suppress
from inspect import getmembers, isclass
from typing import get_args

import numpy as np
import pytest

from talkbutton.bots.interface import Line
from talkbutton.bridge.media import RtpMedia, StreamStart
from talkbutton.bridge.ports import PortPool
from talkbutton.protocols.ari import commands
from talkbutton.protocols.audio import LINE_RATE_HZ, Frame, level_dbov, open_line_codec
from talkbutton.protocols.rtp import RtpPacket, encode_packet
from talkbutton.runtime.aio.udp import Address
from talkbutton.settings.model import PortRange

pytestmark = [pytest.mark.security, pytest.mark.anyio]

HOST = "127.0.0.1"
OTHER_HOST = "127.0.0.2"
TONE_PCM = (8_000 * np.sin(2 * np.pi * 500 * np.arange(320) / LINE_RATE_HZ)).astype("<i2").tobytes()
TONE = open_line_codec("ulaw").encode(TONE_PCM)
SILENCE = b"\xff" * 160
LOUD_DBOV = -30.0


class Ears:
    """Hears what the bot would hear."""

    def __init__(self) -> None:
        self.heard: list[Frame] = []
        self._delivered = asyncio.Event()

    def deliver(self, frame: Frame) -> None:
        self.heard.append(frame)
        self._delivered.set()

    def is_loud(self) -> bool:
        return any(level_dbov(frame.pcm) > LOUD_DBOV for frame in self.heard)

    async def wait_for(self, is_true: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not is_true():
                self._delivered.clear()
                await self._delivered.wait()


class Credulous(RtpMedia):
    """The media port with its guard taken away: it believes every source."""

    def _receive(self, datagram: bytes, source: Address) -> None:  # noqa: ARG002
        assert self._peer is not None
        super()._receive(datagram, self._peer)


@pytest.fixture
def ports() -> PortPool:
    return PortPool(HOST, PortRange(first=26_400, last=26_599))


@pytest.fixture
def asterisk() -> Iterator[socket.socket]:
    with closing(udp(HOST)) as sock:
        yield sock


def udp(host: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    sock.bind((host, 0))
    return sock


@asynccontextmanager
async def listening(
    ports: PortPool, asterisk: socket.socket, kind: type[RtpMedia] = RtpMedia
) -> AsyncIterator[tuple[RtpMedia, Ears]]:
    media = kind(
        ports,
        codec_name="ulaw",
        start=StreamStart(1, 1, 1),
        delay_min_ms=20,
        delay_max_ms=200,
    )
    media.pin_peer(*asterisk.getsockname())
    ears = Ears()
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(media.run(ears.deliver, lambda: None))
        try:
            yield media, ears
        finally:
            run.cancel()
            media.close()


def rtp(number: int, payload: bytes, *, ssrc: int = 7, payload_type: int = 0) -> bytes:
    packet = RtpPacket(payload_type, number & 0xFFFF, (160 * number) & 0xFFFF_FFFF, ssrc, payload)
    return encode_packet(packet)


async def converse(
    media: RtpMedia,
    ears: Ears,
    asterisk: socket.socket,
    also: Callable[[int], None] = lambda _: None,
    *,
    packets: int = 40,
    first: int = 0,
    payload: bytes = SILENCE,
) -> None:
    """Let Asterisk speak, a packet a tick, and somebody else beside it."""
    for number in range(first, first + packets):
        asterisk.sendto(rtp(number, payload), media.local_address)
        also(number)
        before = len(ears.heard)
        await ears.wait_for(lambda before=before: len(ears.heard) > before)  # type: ignore[misc]


@pytest.mark.parametrize("kind", [RtpMedia, Credulous], ids=["guard on", "guard off"])
@pytest.mark.parametrize("host", [HOST, OTHER_HOST], ids=["another port", "another address"])
async def test_rtp_from_elsewhere_is_not_heard(
    ports: PortPool, asterisk: socket.socket, kind: type[RtpMedia], host: str
) -> None:
    """With the SSRC, the numbers and the type of the true stream, and with others."""
    with closing(udp(host)) as stranger:
        async with listening(ports, asterisk, kind) as (media, ears):

            def spray(number: int) -> None:
                for ssrc in (7, 666):
                    stranger.sendto(rtp(number + 1, TONE, ssrc=ssrc), media.local_address)

            await converse(media, ears, asterisk, spray)
            counted = media.snapshot.foreign_packets
    assert ears.is_loud() is (kind is Credulous)
    assert (counted > 0) is (kind is RtpMedia)


async def test_another_ssrc_from_the_right_source_is_a_new_stream(
    ports: PortPool, asterisk: socket.socket
) -> None:
    """Asterisk itself changes it; the old stream is not mixed with the new one."""
    async with listening(ports, asterisk) as (media, ears):
        await converse(media, ears, asterisk, packets=10)
        for number in range(20):
            asterisk.sendto(rtp(9_000 + number, TONE, ssrc=8), media.local_address)
            before = len(ears.heard)
            await ears.wait_for(lambda before=before: len(ears.heard) > before)  # type: ignore[misc]
        await ears.wait_for(ears.is_loud)
        assert media.snapshot.resyncs >= 1


@pytest.mark.parametrize("payload_type", [8, 9, 96, 111, 127])
async def test_another_payload_type_is_not_heard(
    ports: PortPool, asterisk: socket.socket, payload_type: int
) -> None:
    async with listening(ports, asterisk) as (media, ears):

        def also(number: int) -> None:
            packet = rtp(number + 1, TONE, payload_type=payload_type)
            asterisk.sendto(packet, media.local_address)

        await converse(media, ears, asterisk, also)
        assert media.snapshot.other_type_packets > 0
    assert not ears.is_loud()


def lies() -> dict[str, bytes]:
    """Return packets whose headers promise what is not there."""
    body = struct.pack("!HII", 5, 800, 7) + TONE
    return {
        "nothing": b"",
        "one byte": b"\x80",
        "half a header": b"\x80\x00" + body[:6],
        "version 1": b"\x40\x00" + body,
        "version 3": b"\xc0\x00" + body,
        "fifteen CSRCs that are not there": b"\x8f\x00" + body[:12],
        "an extension that is not there": b"\x90\x00" + body[:10],
        "an extension of 256 kB": b"\x90\x00" + body[:10] + b"\xbe\xde\xff\xff" + TONE,
        "more padding than packet": b"\xa0\x00" + body[:-1] + b"\xff",
        "padding of zero": b"\xa0\x00" + body[:-1] + b"\x00",
        "RTCP": b"\x80\xc8" + body,
        "a payload of 65 kB": b"\x80\x00" + body[:10] + bytes(65_000),
        "STUN": b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12),
        "a ClientHello": b"\x16\xfe\xff" + bytes(60),
    }


@pytest.mark.parametrize("name", lies())
async def test_a_header_that_lies_is_dropped_and_the_call_goes_on(
    ports: PortPool, asterisk: socket.socket, name: str
) -> None:
    async with listening(ports, asterisk) as (media, ears):

        def also(_: int) -> None:
            with suppress(BlockingIOError):
                asterisk.sendto(lies()[name], media.local_address)

        await converse(media, ears, asterisk, also, packets=20)
        assert not ears.is_loud()
        counted = media.snapshot
        assert counted.malformed_packets + counted.other_type_packets > 0
        await converse(media, ears, asterisk, packets=20, first=20, payload=TONE)
        await ears.wait_for(ears.is_loud)


@pytest.mark.parametrize("first", [65_526, 65_536 * 65_536 // 160 - 10], ids=["number", "time"])
async def test_counters_that_wrap_lose_nothing(
    ports: PortPool, asterisk: socket.socket, first: int
) -> None:
    async with listening(ports, asterisk) as (media, ears):
        await converse(media, ears, asterisk, packets=40, first=first, payload=TONE)
        assert media.snapshot.resyncs == 0
        assert media.snapshot.lost_packets == 0
        assert media.snapshot.discarded_packets == 0


async def test_late_packets_of_a_dead_call_do_not_enter_the_next(asterisk: socket.socket) -> None:
    """The same port is lent again as late as can be; and the peer is another one by then."""
    ports = PortPool(HOST, PortRange(first=26_600, last=26_605), rest_s=0)
    async with listening(ports, asterisk) as (media, _):
        old = media.local_address
    with closing(udp(HOST)) as next_asterisk:
        while True:
            async with listening(ports, next_asterisk) as (media, ears):
                if media.local_address != old:
                    continue

                def also(number: int) -> None:
                    asterisk.sendto(rtp(number, TONE), old)

                await converse(media, ears, next_asterisk, also)
                assert media.snapshot.foreign_packets > 0
                assert not ears.is_loud()
                return


async def test_a_port_rests_before_it_is_lent_again(asterisk: socket.socket) -> None:
    ports = PortPool(HOST, PortRange(first=26_606, last=26_607))
    async with listening(ports, asterisk):
        pass
    with pytest.raises(OSError, match="no UDP port"):
        ports.take()


async def test_a_flood_from_elsewhere_leaves_the_call_in_time(
    ports: PortPool, asterisk: socket.socket
) -> None:
    with closing(udp(HOST)) as stranger:
        async with listening(ports, asterisk) as (media, ears):

            def flood(number: int) -> None:
                for _ in range(200):
                    with suppress(BlockingIOError):
                        stranger.sendto(rtp(number, TONE, ssrc=666), media.local_address)

            await converse(media, ears, asterisk, flood)
            assert media.snapshot.foreign_packets > 0
    assert not ears.is_loud()


# What no spoken word can make the bot do


def test_the_bridge_knows_no_request_that_dials_transfers_or_records() -> None:
    """Whatever a visitor talks the bot into: there is nothing to ask Asterisk for."""
    names = {name for name, each in getmembers(commands, isclass) if hasattr(each, "request")}
    assert names == {
        *("Answer", "CreateBridge", "CreateExternalMedia", "AddChannel", "GetVariable"),
        *("HangUp", "DestroyBridge"),
    }
    assert {each.__name__ for each in get_args(commands.Command)} == names


def test_a_bot_is_given_a_line_that_can_only_talk_and_hang_up() -> None:
    offered = {name for name in dir(Line) if not name.startswith("_")}
    for word in ("dial", "transfer", "refer", "originate", "record", "extension", "channel", "ari"):
        assert not any(word in name for name in offered), offered
