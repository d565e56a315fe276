"""Media over RTP: one UDP socket, both directions at once, in time.

Every 20 ms one frame is delivered and one packet is sent, whatever the other side does. What
was not received in time is concealed or silent, so the delivered timeline keeps time. While there
is nothing to say silence is sent: Asterisk and browsers take a pause in packets for a broken
path, and Asterisk ends a call after ``rtp_timeout`` without any. Nothing is sent, and no frame is
asked for, until the peer is pinned; so a bot's first words wait for their listener.

Source: RFC 3550; RFC 3551, section 4.1 on silence.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from ipaddress import ip_address

from talkbutton.bridge.media_statistics import MediaStatistics
from talkbutton.bridge.ports import PortPool
from talkbutton.errors import ProtocolError
from talkbutton.events import Scalar
from talkbutton.protocols.audio import (
    FRAME_MS,
    LINE_FRAME_BYTES,
    LINE_RATE_HZ,
    LINE_SILENCE_PCM,
    CodecName,
    Concealer,
    Frame,
    open_line_codec,
)
from talkbutton.protocols.rtp import (
    Packetizer,
    PlayoutBuffer,
    ReceptionStats,
    encode_packet,
    parse_packet,
)
from talkbutton.runtime.aio.pacing import PacingClock, Tick
from talkbutton.runtime.aio.udp import Address, UdpEndpoint
from talkbutton.settings.model import BridgeSettings, Settings

__all__ = ["RtpMedia", "StreamStart", "draw_stream_start", "rtp_opener"]

_FRAME_S = FRAME_MS / 1000
_LATE_MAX_S = 0.1
_HELD_UP_S = 0.005  # of the event loop; then datagrams may be waiting, too


@dataclass(frozen=True, slots=True)
class StreamStart:
    """Where an outgoing stream begins; all three random (RFC 3550, section 5.1).

    Attributes:
        ssrc: 32 bits.
        sequence_number: 16 bits.
        timestamp: 32 bits.
    """

    ssrc: int
    sequence_number: int
    timestamp: int


def draw_stream_start(randbits: Callable[[int], int]) -> StreamStart:
    """Return a start from a source of random bits, such as ``SystemRandom().getrandbits``."""
    return StreamStart(randbits(32), randbits(16), randbits(32))


class RtpMedia:
    """One call's media port; satisfies ``talkbutton.bridge.media_port.MediaPort``.

    Args:
        ports: Lends the socket; ``close`` gives it back.
        codec_name: What is on the wire.
        start: Where the outgoing stream begins.
        delay_min_ms: Least depth of the jitter buffer.
        delay_max_ms: Greatest depth of the jitter buffer.
        sends_silence: Send silent packets while there is nothing to say, rather than pause.

    Raises:
        OSError: If no port is free.
    """

    def __init__(
        self,
        ports: PortPool,
        *,
        codec_name: CodecName,
        start: StreamStart,
        delay_min_ms: int,
        delay_max_ms: int,
        sends_silence: bool = True,
    ) -> None:
        codec = open_line_codec(codec_name)
        self._codec = codec
        self._packetizer = Packetizer(
            ssrc=start.ssrc,
            sequence_number=start.sequence_number,
            timestamp=start.timestamp,
            payload_type=codec.payload_type,
            samples_per_packet=codec.samples_per_frame,
        )
        self._playout = PlayoutBuffer(
            clock_rate_hz=codec.clock_rate_hz,
            samples_per_frame=codec.samples_per_frame,
            payload_bytes=codec.payload_bytes,
            delay_min_ms=delay_min_ms,
            delay_max_ms=delay_max_ms,
        )
        self._reception = ReceptionStats(clock_rate_hz=codec.clock_rate_hz)
        self._concealer = Concealer()
        self._sends_silence = sends_silence
        self._peer: Address | None = None
        self._first_packet = asyncio.Event()
        self._sent_packets = self._foreign_packets = self._early_packets = 0
        self._malformed_packets = self._other_type_packets = 0
        self._delivered_frames = self._silent_frames = self._skipped_ticks = 0
        self._tick_late_max_s = 0.0
        self._is_closed = False
        self._ports = ports
        self._socket = ports.take()
        self._endpoint = UdpEndpoint(self._socket, self._receive)
        self._local_address = self._endpoint.local_address

    @property
    def local_address(self) -> Address:
        """Host and port where this end receives."""
        return self._local_address

    @property
    def snapshot(self) -> MediaStatistics:
        """What was counted so far."""
        playout = self._playout.stats
        return MediaStatistics(
            sent_packets=self._sent_packets - self._endpoint.unsent_datagrams,
            unsent_packets=self._endpoint.unsent_datagrams,
            received_packets=self._reception.received_packets,
            lost_packets=self._reception.lost_packets,
            late_packets=playout.late_packets,
            duplicate_packets=playout.duplicate_packets,
            discarded_packets=playout.discarded_packets,
            misfit_packets=playout.misfit_packets,
            foreign_packets=self._foreign_packets,
            early_packets=self._early_packets,
            malformed_packets=self._malformed_packets + self._endpoint.oversize_datagrams,
            other_type_packets=self._other_type_packets,
            jitter_ms=round(self._reception.jitter_ms, 3),
            playout_delay_ms=self._playout.delay_ms,
            delivered_frames=self._delivered_frames,
            concealed_frames=playout.concealed_frames,
            silent_frames=self._silent_frames,
            resyncs=playout.resyncs,
            skipped_ticks=self._skipped_ticks,
            tick_late_max_ms=round(self._tick_late_max_s * 1000, 3),
        )

    def statistics(self) -> Mapping[str, Scalar]:
        """Return ``snapshot`` as flat measures for an event."""
        return asdict(self.snapshot)

    def pin_peer(self, host: str, port: int) -> None:
        """Exchange media with this address; packets from elsewhere are counted and dropped.

        Raises:
            ValueError: If ``host`` is not a numeric address.
        """
        self._peer = str(ip_address(host)), port

    async def received_first_packet(self) -> None:
        """Wait until a packet that can be played came from the pinned peer."""
        await self._first_packet.wait()

    async def run(
        self, deliver: Callable[[Frame], None], next_frame: Callable[[], Frame | None]
    ) -> None:
        """Deliver and send every 20 ms, until cancelled or closed.

        After the program was held up, ticks are caught up with; if it was for more than 100 ms,
        the skipped ticks are still delivered but not sent: their timestamps pass, and the frames
        wait their turn.

        Args:
            deliver: Takes each received or made-up frame of 640 bytes at 16 kHz.
            next_frame: Gives the frame to send, 640 bytes at 16 kHz; None for silence.
        """
        self._endpoint.open()
        clock = PacingClock(interval_s=_FRAME_S, late_max_s=_LATE_MAX_S)
        while not self._is_closed:
            tick = await clock.tick()
            if self._is_closed:
                return
            if tick.late_s > _HELD_UP_S or tick.skipped_ticks:
                self._catch_up(tick, deliver)
            deliver(self._next_received(tick.due))
            self._send(next_frame)

    def close(self) -> None:
        """Give the port back and end ``run``; further calls do nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        self._endpoint.close()
        self._ports.give_back(self._socket)

    def _catch_up(self, tick: Tick, deliver: Callable[[Frame], None]) -> None:
        late_s = tick.late_s + tick.skipped_ticks * _FRAME_S
        self._tick_late_max_s = max(self._tick_late_max_s, late_s)
        self._endpoint.receive_waiting()
        for ticks_ago in range(tick.skipped_ticks, 0, -1):
            deliver(self._next_received(tick.due - ticks_ago * _FRAME_S))
        self._packetizer.skip(tick.skipped_ticks)
        self._skipped_ticks += tick.skipped_ticks

    def _next_received(self, due: float) -> Frame:
        self._delivered_frames += 1
        played = self._playout.pop(now=due)
        if isinstance(played, bytes):
            return Frame(self._concealer.receive(self._codec.decode(played)), LINE_RATE_HZ)
        if played is None:
            self._silent_frames += 1
            pcm = self._concealer.fall_silent()
        else:
            pcm = self._concealer.conceal()
        return Frame(pcm, LINE_RATE_HZ, is_concealed=True)

    def _send(self, next_frame: Callable[[], Frame | None]) -> None:
        if self._peer is None:
            self._packetizer.skip()
            return
        frame = next_frame()
        if frame is None and not self._sends_silence:
            self._packetizer.skip()
            return
        pcm = LINE_SILENCE_PCM
        if frame is not None:
            assert frame.rate_hz == LINE_RATE_HZ, frame.rate_hz
            assert len(frame.pcm) == LINE_FRAME_BYTES, len(frame.pcm)
            pcm = frame.pcm
        packet = self._packetizer.packetize(self._codec.encode(pcm))
        self._endpoint.send(encode_packet(packet), self._peer)
        self._sent_packets += 1

    def _receive(self, datagram: bytes, source: Address) -> None:
        if source != self._peer:
            if self._peer is None:
                self._early_packets += 1
            else:
                self._foreign_packets += 1
            return
        try:
            packet = parse_packet(datagram)
        except ProtocolError:
            self._malformed_packets += 1
            return
        if packet.payload_type != self._codec.payload_type:
            self._other_type_packets += 1
            return
        now = time.monotonic()
        self._reception.update(packet, now=now)
        self._playout.insert(packet, now=now)
        self._first_packet.set()


def rtp_opener(settings: Settings) -> Callable[[], Awaitable[RtpMedia]]:
    """Return what opens a media port for each call; all share one pool of ports.

    The function it returns raises ``OSError`` where no port is free.
    """
    bridge: BridgeSettings = settings.bridge
    ports = PortPool(settings.network.private_address, bridge.rtp_ports)
    randbits = random.SystemRandom().getrandbits
    open_line_codec(bridge.codec)  # a codec that can not be loaded is found now, not in a call

    async def open_rtp() -> RtpMedia:
        return RtpMedia(
            ports,
            codec_name=bridge.codec,
            start=draw_stream_start(randbits),
            delay_min_ms=bridge.playout_delay_min_ms,
            delay_max_ms=bridge.playout_delay_max_ms,
        )

    return open_rtp
