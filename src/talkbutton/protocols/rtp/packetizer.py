"""Numbers outgoing packets, one tick at a time."""

from talkbutton.protocols.rtp.packet import RtpPacket

__all__ = ["Packetizer"]


class Packetizer:
    """Gives each payload its sequence number, timestamp and marker.

    Call it once per tick. Time passes whether or not anything is sent: the timestamp advances
    with every tick, the sequence number only with packets, and the first packet after a pause
    (the very first one too) carries the marker. A tick of encoded silence is a packet, not a
    pause: RFC 3551 wants no marker after silence that was sent.

    Args:
        ssrc: Names the stream; 32 random bits.
        sequence_number: Of the first packet; 16 random bits.
        timestamp: Of the first tick; 32 random bits.
        payload_type: The same for all packets.
        samples_per_packet: Ticks of the RTP clock in one packet.

    Source: RFC 3550, section 5.1; RFC 3551, section 4.1 on the marker.
    """

    def __init__(
        self,
        *,
        ssrc: int,
        sequence_number: int,
        timestamp: int,
        payload_type: int,
        samples_per_packet: int,
    ) -> None:
        assert 0 <= ssrc < 1 << 32, ssrc
        assert 0 <= payload_type < 1 << 7, payload_type
        assert samples_per_packet > 0, samples_per_packet
        self._ssrc = ssrc
        self._sequence_number = sequence_number & 0xFFFF
        self._timestamp = timestamp & 0xFFFF_FFFF
        self._payload_type = payload_type
        self._samples_per_packet = samples_per_packet
        self._is_after_pause = True

    def packetize(self, payload: bytes) -> RtpPacket:
        """Return the packet for this tick."""
        packet = RtpPacket(
            payload_type=self._payload_type,
            sequence_number=self._sequence_number,
            timestamp=self._timestamp,
            ssrc=self._ssrc,
            payload=payload,
            marker=self._is_after_pause,
        )
        self._sequence_number = (self._sequence_number + 1) & 0xFFFF
        self._advance(1)
        self._is_after_pause = False
        return packet

    def skip(self, ticks: int = 1) -> None:
        """Let ticks pass without a packet."""
        assert ticks >= 0, ticks
        if ticks:
            self._advance(ticks)
            self._is_after_pause = True

    def _advance(self, ticks: int) -> None:
        self._timestamp = (self._timestamp + ticks * self._samples_per_packet) & 0xFFFF_FFFF
