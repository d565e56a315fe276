"""What a receiver can say about a stream: loss and jitter, as a receiver report would.

Source: RFC 3550, appendices A.3 (loss) and A.8 (jitter).
"""

from talkbutton.protocols.rtp.packet import RtpPacket
from talkbutton.protocols.rtp.sequence import TIMESTAMP_BITS, unwrap

__all__ = ["ReceptionStats"]

_DROPOUT_MAX_PACKETS = 3_000
_MISORDER_MAX_PACKETS = 100
_JITTER_GAIN = 1 / 16


class ReceptionStats:
    """Counts one stream; a new SSRC, or a sequence that starts over, continues the totals.

    Args:
        clock_rate_hz: Of the timestamps.
    """

    def __init__(self, *, clock_rate_hz: int) -> None:
        self.received_packets = 0
        """All packets, duplicates too."""
        self._clock_rate_hz = clock_rate_hz
        self._ssrc: int | None = None
        self._expected_before = 0  # by streams that ended
        self._first = 0
        self._highest = 0
        self._transit_samples: float | None = None
        self._last_timestamp = 0
        self._jitter_samples = 0.0

    @property
    def expected_packets(self) -> int:
        """Packets that were sent, judging by their sequence numbers."""
        if self._ssrc is None:
            return 0
        return self._expected_before + self._highest - self._first + 1

    @property
    def lost_packets(self) -> int:
        """Expected less received; negative where the network duplicates."""
        return self.expected_packets - self.received_packets

    @property
    def jitter_ms(self) -> float:
        """Smoothed mean deviation of the packets' spacing, in milliseconds."""
        return self._jitter_samples / self._clock_rate_hz * 1000

    def update(self, packet: RtpPacket, *, now: float) -> None:
        """Count a packet that arrived at ``now``, monotonic seconds."""
        if packet.ssrc != self._ssrc:
            self._restart(packet)
        sequence_number = unwrap(packet.sequence_number, last=self._highest)
        step = sequence_number - self._highest
        if not -_MISORDER_MAX_PACKETS < step < _DROPOUT_MAX_PACKETS:
            self._restart(packet)
            sequence_number = self._highest
        self.received_packets += 1
        self._highest = max(self._highest, sequence_number)
        self._first = min(self._first, sequence_number)
        self._measure_jitter(packet, now)

    def _restart(self, packet: RtpPacket) -> None:
        self._expected_before = self.expected_packets
        self._ssrc = packet.ssrc
        self._first = self._highest = packet.sequence_number
        self._transit_samples = None
        self._last_timestamp = packet.timestamp

    def _measure_jitter(self, packet: RtpPacket, now: float) -> None:
        timestamp = unwrap(packet.timestamp, last=self._last_timestamp, bits=TIMESTAMP_BITS)
        self._last_timestamp = timestamp
        transit = now * self._clock_rate_hz - timestamp
        if self._transit_samples is not None:
            step = abs(transit - self._transit_samples)
            if step < self._clock_rate_hz:  # a second: the sender's clock jumped
                self._jitter_samples += (step - self._jitter_samples) * _JITTER_GAIN
        self._transit_samples = transit
