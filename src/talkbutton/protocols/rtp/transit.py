"""How unevenly packets arrive, and so how long they should wait before they are played."""

from collections import deque

__all__ = ["TransitMeter"]

_WINDOW_PACKETS = 500  # 10 s at 20 ms
_FLOOR_WINDOW_PACKETS = 100
_BIN_S = 0.005
_OUTLIERS = 0.03


class TransitMeter:
    """Measures transit times against the shortest of the last 2 to 4 seconds.

    The clocks of sender and receiver need not agree: a transit is only ever compared with others.
    """

    def __init__(self) -> None:
        self._bins: deque[int] = deque()
        self._counts: dict[int, int] = {}
        self._floor_s: float | None = None
        self._next_floor_s: float | None = None
        self._floor_packets = 0

    @property
    def floor_s(self) -> float:
        """Shortest transit; valid once a packet was observed."""
        assert self._floor_s is not None
        return self._floor_s

    def observe(self, transit_s: float) -> None:
        """Take one packet's arrival time less its timestamp, both in seconds."""
        if self._floor_s is None or self._next_floor_s is None:
            self._floor_s = self._next_floor_s = transit_s
        self._floor_packets += 1
        if self._floor_packets > _FLOOR_WINDOW_PACKETS:  # a route or a clock may have changed
            self._floor_s, self._next_floor_s = self._next_floor_s, transit_s
            self._floor_packets = 0
        self._floor_s = min(self._floor_s, transit_s)
        self._next_floor_s = min(self._next_floor_s, transit_s)
        self._count(int((transit_s - self._floor_s) / _BIN_S))

    def spread_s(self) -> float:
        """Return the wait that 97 of 100 packets need, at a resolution of 5 ms."""
        remaining = int(len(self._bins) * _OUTLIERS)
        for number in sorted(self._counts, reverse=True):
            remaining -= self._counts[number]
            if remaining < 0:
                return number * _BIN_S
        return 0.0

    def restart(self) -> None:
        """Forget the floor, because the sender's clock is another; keep the spread."""
        self._floor_s = self._next_floor_s = None
        self._floor_packets = 0

    def _count(self, number: int) -> None:
        self._bins.append(number)
        self._counts[number] = self._counts.get(number, 0) + 1
        if len(self._bins) > _WINDOW_PACKETS:
            oldest = self._bins.popleft()
            self._counts[oldest] -= 1
            if not self._counts[oldest]:
                del self._counts[oldest]
