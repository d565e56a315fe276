"""Ticks that keep time: each has its own moment, fixed at the start."""

import asyncio
import time
from dataclasses import dataclass

__all__ = ["PacingClock", "Tick"]

_EARLY_S = 0.002  # timers of some event loops have the resolution of a millisecond


@dataclass(frozen=True, slots=True)
class Tick:
    """One tick.

    Attributes:
        due: When it should have come, monotonic seconds.
        late_s: How much later it came; 0.0 if it was on time.
        skipped_ticks: Ticks before this one that were given up.
    """

    due: float
    late_s: float
    skipped_ticks: int


class PacingClock:
    """Ticks at start + n * interval, without drift.

    A tick that comes late does not move the ones after it: they follow at once until time is
    caught up with. If it is later than ``late_max_s``, the ticks in between are skipped.

    Args:
        interval_s: From tick to tick.
        late_max_s: Greatest lateness that is caught up with.
    """

    def __init__(self, *, interval_s: float, late_max_s: float) -> None:
        self._interval_s = interval_s
        self._late_max_s = late_max_s
        self._start: float | None = None
        self._ticks = 0

    async def tick(self) -> Tick:
        """Wait for the next tick; the first comes at once."""
        now = time.monotonic()
        if self._start is None:
            self._start = now
        due = self._start + self._ticks * self._interval_s
        while due - now > _EARLY_S:
            await asyncio.sleep(due - now)
            now = time.monotonic()
        skipped_ticks = 0
        if now - due > self._late_max_s:
            skipped_ticks = int((now - due) / self._interval_s)
            due += skipped_ticks * self._interval_s
        self._ticks += 1 + skipped_ticks
        return Tick(due, max(now - due, 0.0), skipped_ticks)
