"""A seeded network link without I/O: delays, loses, doubles and reorders what is sent over it.

Loss comes in bursts, by the model of Gilbert and Elliott: the link is good or bad, and changes
from one to the other at random. A link with a rate has a queue before it, and loses what does not
fit. The same seed gives the same fate to the same packets.
"""

import heapq
import random
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, TypeVar

__all__ = ["CELLULAR", "CLEAN", "CONGESTED", "PRESETS", "WIFI_LOSSY", "Link", "Weather"]

T = TypeVar("T")


@dataclass(frozen=True)
class Weather:
    """What a link does to packets.

    Attributes:
        latency_ms: Shortest transit.
        jitter_ms: Up to so much is added, evenly spread.
        is_in_order: Jitter never lets a packet overtake another.
        to_bad: Probability, per packet, that a good link turns bad.
        to_good: Probability, per packet, that a bad link turns good.
        loss_good: Probability of loss while the link is good.
        loss_bad: Probability of loss while the link is bad.
        duplicate: Probability that a packet comes twice.
        reorder: Probability that a packet takes ``reorder_ms`` longer.
        reorder_ms: See ``reorder``.
        rate_bytes_per_s: What the link carries; None without a bound.
        queue_bytes: What may wait for the link; more is lost.
    """

    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    is_in_order: bool = True
    to_bad: float = 0.0
    to_good: float = 1.0
    loss_good: float = 0.0
    loss_bad: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    reorder_ms: float = 0.0
    rate_bytes_per_s: int | None = None
    queue_bytes: int = 16_000


CLEAN = Weather(latency_ms=1.0)
WIFI_LOSSY = Weather(
    latency_ms=5.0, jitter_ms=30.0, to_bad=0.02, to_good=0.3, loss_bad=0.5, duplicate=0.005
)
CELLULAR = Weather(
    latency_ms=60.0, jitter_ms=60.0, to_bad=0.005, to_good=0.1, loss_good=0.001, loss_bad=0.3
)
CONGESTED = Weather(
    latency_ms=40.0,
    jitter_ms=120.0,
    is_in_order=False,
    to_bad=0.05,
    to_good=0.2,
    loss_good=0.01,
    loss_bad=0.4,
    reorder=0.05,
    reorder_ms=40.0,
)

PRESETS = {
    "clean": CLEAN,
    "wifi_lossy": WIFI_LOSSY,
    "cellular": CELLULAR,
    "congested": CONGESTED,
}


@dataclass
class Link(Generic[T]):
    """One direction of a network.

    Attributes:
        weather: What it does.
        seed: Of the randomness.
        lost: What was lost, in the order of sending.
    """

    weather: Weather
    seed: int = 0
    lost: list[T] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - repeatable, not secret
        self._is_bad = False
        self._last_arrival = 0.0
        self._busy_until = 0.0  # the link's sender has work until then
        self._numbers = count()
        self._under_way: list[tuple[float, int, T]] = []

    @property
    def next_arrival(self) -> float | None:
        """When the next packet arrives; None while none is under way."""
        return self._under_way[0][0] if self._under_way else None

    def send(self, packet: T, *, now: float, size_bytes: int = 0) -> None:
        """Put a packet on the link at ``now``, seconds."""
        weather = self.weather
        if not self._has_room(size_bytes, now):
            self.lost.append(packet)
            return
        change = weather.to_good if self._is_bad else weather.to_bad
        if self._random.random() < change:
            self._is_bad = not self._is_bad
        if self._random.random() < (weather.loss_bad if self._is_bad else weather.loss_good):
            self.lost.append(packet)
            return
        leaves_at = self._queue(size_bytes, now)
        self._post(packet, leaves_at)
        if self._random.random() < weather.duplicate:
            self._post(packet, leaves_at)

    def receive(self, *, now: float) -> list[tuple[float, T]]:
        """Return what has arrived by ``now``, with the times of arrival, in their order."""
        arrived = []
        while self._under_way and self._under_way[0][0] <= now:
            at, _, packet = heapq.heappop(self._under_way)
            arrived.append((at, packet))
        return arrived

    def _has_room(self, size_bytes: int, now: float) -> bool:
        rate = self.weather.rate_bytes_per_s
        if rate is None:
            return True
        waiting_bytes = max(0.0, self._busy_until - now) * rate
        return waiting_bytes + size_bytes <= self.weather.queue_bytes

    def _queue(self, size_bytes: int, now: float) -> float:
        rate = self.weather.rate_bytes_per_s
        if rate is None:
            return now
        self._busy_until = max(self._busy_until, now) + size_bytes / rate
        return self._busy_until

    def _post(self, packet: T, now: float) -> None:
        weather = self.weather
        at = now + (weather.latency_ms + self._random.uniform(0, weather.jitter_ms)) / 1000
        if weather.is_in_order:
            at = self._last_arrival = max(at, self._last_arrival)
        if self._random.random() < weather.reorder:
            at += weather.reorder_ms / 1000
        heapq.heappush(self._under_way, (at, next(self._numbers), packet))
