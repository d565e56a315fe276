"""What an answered call waits for: a media path, the warning, its longest duration. No I/O.

Times are monotonic seconds supplied by the caller as ``now``.
"""

import enum

__all__ = ["CallClock", "Due"]

CONNECT_DEADLINE_S = 15.0  # as long as the button waits; the bridge gives up a little sooner
DURATION_GRACE_S = 15.0  # the bridge ends long calls; this is for a bridge that does not


class Due(enum.Enum):
    """What the time has come for."""

    NO_MEDIA = "no_media"
    ENDING_SOON = "ending_soon"
    OVER = "over"


class CallClock:
    """One call's times from its answer on.

    Args:
        duration_max_s: The bridge ends the call after so many seconds from its answer.
        warning_s: The visitor is told so many seconds before that; 0 tells nobody.
    """

    def __init__(self, *, duration_max_s: float = 0.0, warning_s: float = 0.0) -> None:
        self.warning_s = warning_s
        self._duration_max_s = duration_max_s
        self._answered_at: float | None = None
        self._is_connected = False
        self._timers: dict[Due, float] = {}

    @property
    def deadline(self) -> float | None:
        """When ``due`` has something to say next; None before the answer."""
        return min(self._timers.values(), default=None)

    @property
    def is_answered(self) -> bool:
        """Whether the call was answered."""
        return self._answered_at is not None

    def answer(self, *, now: float) -> None:
        """Start: the far end has answered."""
        self._answered_at = now
        self._timers[Due.OVER] = now + self._duration_max_s + DURATION_GRACE_S
        if 0 < self.warning_s < self._duration_max_s:
            self._timers[Due.ENDING_SOON] = now + self._duration_max_s - self.warning_s
        if not self._is_connected:
            self._timers[Due.NO_MEDIA] = now + CONNECT_DEADLINE_S

    def connect(self) -> None:
        """Note that there is a media path."""
        self._is_connected = True
        self._timers.pop(Due.NO_MEDIA, None)

    def due(self, *, now: float) -> list[Due]:
        """Return what the time has come for, each once, in the order of its time."""
        times = sorted((at, due.value, due) for due, at in self._timers.items() if at <= now)
        for _, _, due in times:
            del self._timers[due]
        return [due for _, _, due in times]

    def duration_s(self, *, now: float) -> float | None:
        """Return how long ago the call was answered; None if it was not."""
        return None if self._answered_at is None else now - self._answered_at

    def used_s(self, *, now: float) -> float:
        """Return what the call has cost its owner so far: nothing without a media path."""
        return self.duration_s(now=now) or 0.0 if self._is_connected else 0.0
