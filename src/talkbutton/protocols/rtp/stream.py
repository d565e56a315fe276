"""Follows one sender's stream: unwrapped numbers, and where the stream starts over.

It starts over at another SSRC, at a jump of the timestamps (backwards, or by a second against the
time of arrival), and at a jump of the sequence numbers that a second packet confirms. Stragglers
of the stream before do not bring it back.

Source: RFC 3550, appendix A.1, for what counts as a jump.
"""

import enum
from typing import NamedTuple

from talkbutton.protocols.rtp.packet import RtpPacket
from talkbutton.protocols.rtp.sequence import TIMESTAMP_BITS, unwrap

__all__ = ["Place", "Stray", "StreamFollower"]

_DROPOUT_MAX_PACKETS = 3_000
_MISORDER_MAX_PACKETS = 100
_JUMP_S = 1.0
_OLD_STREAM_S = 2.0


class Stray(enum.Enum):
    """Why a packet has no place in the stream."""

    OLD = "old"
    """It belongs to what was before the stream started over."""

    UNCONFIRMED = "unconfirmed"
    """Its sequence number is far off; if the next one follows it, the stream starts over."""


class Place(NamedTuple):
    """Where a packet belongs.

    Attributes:
        sequence_number: Unwrapped.
        timestamp: Unwrapped.
        transit_s: Time of arrival less timestamp, in seconds; only differences mean anything.
        is_start: The stream starts over with this packet.
        is_continued: Of a start: by the same sender in the same sequence, so that what has a
            lower sequence number belongs to the past.
    """

    sequence_number: int
    timestamp: int
    transit_s: float
    is_start: bool = False
    is_continued: bool = False


class StreamFollower:
    """Gives every packet its place.

    Args:
        clock_rate_hz: Of the timestamps.
    """

    def __init__(self, *, clock_rate_hz: int) -> None:
        self._clock_rate_hz = clock_rate_hz
        self._ssrc: int | None = None
        self._former_ssrc: int | None = None
        self._changed_at = 0.0
        self._highest = 0
        self._last_timestamp = 0
        self._last_transit_s = 0.0
        self._confirming: int | None = None  # the sequence number that confirms a jump

    def place(self, packet: RtpPacket, *, now: float) -> Place | Stray:
        """Return the place of a packet that arrived at ``now``, monotonic seconds."""
        sequence_number = unwrap(packet.sequence_number, last=self._highest)
        timestamp = unwrap(packet.timestamp, last=self._last_timestamp, bits=TIMESTAMP_BITS)
        transit_s = now - timestamp / self._clock_rate_hz
        if packet.ssrc != self._ssrc:
            if packet.ssrc == self._former_ssrc and now - self._changed_at < _OLD_STREAM_S:
                return Stray.OLD
            self._former_ssrc, self._ssrc = self._ssrc, packet.ssrc
            self._changed_at = now
            return self._advance(Place(sequence_number, timestamp, transit_s, is_start=True))
        step = sequence_number - self._highest
        if not -_MISORDER_MAX_PACKETS < step < _DROPOUT_MAX_PACKETS:
            if packet.sequence_number == self._confirming:
                return self._advance(Place(sequence_number, timestamp, transit_s, is_start=True))
            self._confirming = (packet.sequence_number + 1) & 0xFFFF
            return Stray.UNCONFIRMED
        self._confirming = None
        has_jumped = abs(transit_s - self._last_transit_s) > _JUMP_S
        if has_jumped and step <= 0:
            return Stray.OLD
        has_jumped |= step > 0 and timestamp <= self._last_timestamp
        place = Place(sequence_number, timestamp, transit_s, has_jumped, has_jumped)
        return self._advance(place) if step > 0 else place

    def _advance(self, place: Place) -> Place:
        self._highest = place.sequence_number
        self._last_timestamp = place.timestamp
        self._last_transit_s = place.transit_s
        self._confirming = None
        return place
