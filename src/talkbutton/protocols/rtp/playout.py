"""Plays packets in order and in time: an adaptive jitter buffer without I/O.

    WAITING -- the head has waited long enough --> PLAYING
    PLAYING -- nothing came for 100 ms, or the stream started over --> WAITING

The owner inserts packets as they come and pops once a frame. Packets are ordered by sequence
number; their timestamps say when they are due, since a sender may pause without a gap in its
numbers. The buffer

* grows when a packet is late: the tick is concealed and the packet, should it come, played on the
  next one;
* shrinks when the measured spread of arrivals says that less is enough: first by leaving out
  slots whose packet is missing anyway, then by leaving out a frame now and then;
* drops what would be played more than the greatest delay after it could have been, as long as
  there is something newer to play.

Every packet that was received ends in exactly one place: played, late, duplicate, discarded,
misfit, or still waiting. Times are monotonic seconds supplied as ``now``.
"""

import enum
from typing import Final, Literal, NamedTuple

from talkbutton.protocols.rtp.packet import RtpPacket
from talkbutton.protocols.rtp.playout_stats import PlayoutStats
from talkbutton.protocols.rtp.seen import SeenWindow
from talkbutton.protocols.rtp.stream import Place, Stray, StreamFollower
from talkbutton.protocols.rtp.transit import TransitMeter

__all__ = ["CONCEAL", "Conceal", "PlayoutBuffer"]


class Conceal(enum.Enum):
    """Says that a frame is missing and its place should be filled from what went before."""

    CONCEAL = "conceal"


CONCEAL: Final[Literal[Conceal.CONCEAL]] = Conceal.CONCEAL

_CONCEAL_MAX_FRAMES = 5  # 100 ms; what is missing for longer is silence
_QUEUE_MAX_PACKETS = 256
_SHRINK_AFTER_GROWTH_S = 1.0
_SHRINK_INTERVAL_S = 0.2
_TOLERANCE_S = 0.002  # of the owner's ticks


class _Waiting(NamedTuple):
    timestamp: int
    payload: bytes
    marker: bool


class PlayoutBuffer:
    """Turns packets that arrive anyhow into one payload a tick.

    Args:
        clock_rate_hz: Of the timestamps.
        samples_per_frame: Ticks of that clock in one frame.
        payload_bytes: Payload of one frame; a packet may hold several frames.
        delay_min_ms: Least time from the earliest possible arrival to playing, within 2 ms.
        delay_max_ms: Greatest such time; one frame more is put up with.
    """

    def __init__(
        self,
        *,
        clock_rate_hz: int,
        samples_per_frame: int,
        payload_bytes: int,
        delay_min_ms: int,
        delay_max_ms: int,
    ) -> None:
        assert 0 <= delay_min_ms <= delay_max_ms, (delay_min_ms, delay_max_ms)
        self.stats = PlayoutStats()
        self._clock_rate_hz = clock_rate_hz
        self._samples_per_frame = samples_per_frame
        self._frame_s = samples_per_frame / clock_rate_hz
        self._payload_bytes = payload_bytes
        self._delay_min_s = delay_min_ms / 1000
        self._delay_max_s = delay_max_ms / 1000
        self._stream = StreamFollower(clock_rate_hz=clock_rate_hz)
        self._transit = TransitMeter()
        self._has_started = False
        self._seen = SeenWindow()
        self._queue: dict[int, _Waiting] = {}  # by unwrapped sequence number
        self._rest = b""  # frames of the packet that is being played
        self._floor: int | None = None  # sequence numbers up to here are of no interest
        self._consumed: int | None = None  # the latest played or discarded
        self._due: int | None = None  # timestamp of the next frame; None while WAITING
        self._delay_s: float | None = None
        self._held_frames = 0  # ticks concealed without moving on
        self._missing_run_frames = 0
        self._may_shrink_at = 0.0

    @property
    def delay_ms(self) -> float | None:
        """How long after its earliest possible arrival the latest frame was played."""
        return None if self._delay_s is None else self._delay_s * 1000

    @property
    def waiting_packets(self) -> int:
        """Packets that were neither played nor dropped yet."""
        return len(self._queue) + bool(self._rest)

    def insert(self, packet: RtpPacket, *, now: float) -> None:
        """Take a packet that arrived at ``now``."""
        self.stats.received_packets += 1
        frames, misfit_bytes = divmod(len(packet.payload), self._payload_bytes)
        if misfit_bytes or not frames:
            self.stats.misfit_packets += 1
            return
        match self._stream.place(packet, now=now):
            case Stray.OLD:
                self.stats.late_packets += 1
                return
            case Stray.UNCONFIRMED:
                self.stats.discarded_packets += 1
                return
            case Place() as place:
                if place.is_start:
                    self._restart(place)
        if not self._seen.add(place.sequence_number):
            self.stats.duplicate_packets += 1
            return
        self._transit.observe(place.transit_s)
        if self._is_late(place):
            self.stats.late_packets += 1
            return
        self._queue[place.sequence_number] = _Waiting(
            place.timestamp, packet.payload, packet.marker
        )
        if len(self._queue) > _QUEUE_MAX_PACKETS:
            self._discard(min(self._queue))

    def pop(self, *, now: float) -> bytes | Conceal | None:
        """Return this tick's payload, ``CONCEAL`` for a missing one, or None for silence."""
        if self._rest:
            return self._play(self._rest, now)
        if self._queue:
            self._settle_held(now)
            self._shorten(now)
        if not self._queue:
            return self._starve(now)
        head = min(self._queue)
        if self._due is None:
            timestamp = self._queue[head].timestamp
            if self._delay_of_s(timestamp, now) < self._target_s() - _TOLERANCE_S:
                return None
            self._due = timestamp
        if self._gap_frames(head, self._due) > 0:
            return self._fill_gap(head, now)
        waiting = self._queue.pop(head)
        self._consume(head)
        self._due = waiting.timestamp
        self._held_frames = 0
        return self._play(waiting.payload, now)

    def _restart(self, place: Place) -> None:
        if self._has_started:
            self.stats.resyncs += 1
        self._has_started = True
        self.stats.discarded_packets += self.waiting_packets
        self._queue.clear()
        self._rest = b""
        self._transit.restart()
        if not place.is_continued:
            self._seen = SeenWindow()
        self._floor = place.sequence_number - 1 if place.is_continued else None
        self._consumed = self._due = self._delay_s = None
        self._held_frames = 0

    def _is_late(self, place: Place) -> bool:
        if self._floor is not None and place.sequence_number <= self._floor:
            return True
        if self._consumed is not None and place.sequence_number <= self._consumed:
            self.stats.lost_packets -= 1
            return True
        return self._due is not None and place.timestamp <= self._due - self._samples_per_frame / 2

    def _starve(self, now: float) -> Conceal | None:
        """Nothing is there: hold the place for a while, then give up the timeline."""
        if self._due is None:
            return None
        if self._held_frames >= _CONCEAL_MAX_FRAMES:
            self._due = self._delay_s = None
            self._held_frames = 0
            return None
        self._held_frames += 1
        self._may_shrink_at = now + _SHRINK_AFTER_GROWTH_S
        return self._conceal()

    def _settle_held(self, now: float) -> None:
        """Pass over missing frames that were waited for long enough: they were concealed."""
        if self._due is None or not self._held_frames or self._should_hold(self._due, now):
            return
        gap_frames = max(self._gap_frames(min(self._queue), self._due), 0)
        self._due += min(gap_frames, self._held_frames) * self._samples_per_frame
        self._held_frames = 0

    def _fill_gap(self, head: int, now: float) -> Conceal | None:
        """Later packets are there but this one is not."""
        assert self._due is not None
        if self._queue[head].marker and self._consumed == head - 1:  # the sender paused
            self._due += self._samples_per_frame
            return None
        if self._should_hold(self._due, now):
            self._held_frames += 1
            self._may_shrink_at = now + _SHRINK_AFTER_GROWTH_S
        else:
            self._due += self._samples_per_frame
        return self._conceal()

    def _should_hold(self, due: int, now: float) -> bool:
        """Return whether a missing frame may still come, judging by the others."""
        return self._delay_of_s(due, now) < self._target_s() - _TOLERANCE_S

    def _conceal(self) -> Conceal | None:
        self._missing_run_frames += 1
        if self._missing_run_frames > _CONCEAL_MAX_FRAMES:
            return None
        self.stats.concealed_frames += 1
        return CONCEAL

    def _play(self, payload: bytes, now: float) -> bytes:
        assert self._due is not None
        self._delay_s = self._delay_of_s(self._due, now)
        self._due += self._samples_per_frame
        self._missing_run_frames = 0
        self._rest = payload[self._payload_bytes :]
        if not self._rest:
            self.stats.played_packets += 1
        return payload[: self._payload_bytes]

    def _consume(self, head: int) -> None:
        if self._consumed is None:
            self._floor = head - 1
        else:
            self.stats.lost_packets += self._seen.count_missing(self._consumed, head)
        self._consumed = head

    def _discard(self, head: int) -> None:
        waiting = self._queue.pop(head)
        self._consume(head)
        self.stats.discarded_packets += 1
        if self._due is not None:
            frames = len(waiting.payload) // self._payload_bytes
            self._due = waiting.timestamp + frames * self._samples_per_frame

    def _shorten(self, now: float) -> None:
        """Leave out missing slots, then frames, while the delay is greater than needed."""
        head = min(self._queue)
        next_timestamp = self._queue[head].timestamp if self._due is None else self._due
        delay_s = self._delay_of_s(next_timestamp, now)
        step_s = self._frame_s + _TOLERANCE_S
        if delay_s < self._delay_min_s + step_s or delay_s < self._target_s() + step_s:
            return
        if self._due is not None and (gap_frames := self._gap_frames(head, self._due)) > 0:
            excess_frames = int((delay_s - self._target_s()) / self._frame_s)
            self._due += min(gap_frames, excess_frames) * self._samples_per_frame
        elif delay_s > self._delay_max_s + step_s:
            self._discard_until(self._target_s() + step_s, now)
        elif self._due is not None and now >= self._may_shrink_at and len(self._queue) > 1:
            self._may_shrink_at = now + _SHRINK_INTERVAL_S
            self._discard(head)

    def _discard_until(self, delay_s: float, now: float) -> None:
        while len(self._queue) > 1:  # the newest is worth playing however late it is
            head = min(self._queue)
            if self._delay_of_s(self._queue[head].timestamp, now) < delay_s:
                return
            self._discard(head)

    def _gap_frames(self, head: int, due: int) -> int:
        """Return how many frames are missing before the head."""
        return round((self._queue[head].timestamp - due) / self._samples_per_frame)

    def _delay_of_s(self, timestamp: int, now: float) -> float:
        return now - timestamp / self._clock_rate_hz - self._transit.floor_s

    def _target_s(self) -> float:
        return min(max(self._transit.spread_s(), self._delay_min_s), self._delay_max_s)
