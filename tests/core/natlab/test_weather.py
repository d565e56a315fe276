"""The emulator itself: what the properties stand on."""

import pytest

from talkbutton.operate.natlab.link import CLEAN, PRESETS, Link, Weather

pytestmark = pytest.mark.core


def fate(weather: Weather, seed: int, packets: int = 2_000) -> list[tuple[float, int]]:
    link: Link[int] = Link(weather, seed)
    for number in range(packets):
        link.send(number, now=number * 0.02)
    return link.receive(now=1e9)


def test_the_same_seed_gives_the_same_fate() -> None:
    weather = PRESETS["congested"]
    assert fate(weather, 1) == fate(weather, 1)
    assert fate(weather, 1) != fate(weather, 2)


def test_a_clean_link_only_takes_time() -> None:
    assert fate(CLEAN, 1, 3) == [(0.001, 0), (0.021, 1), (0.041, 2)]


def test_nothing_arrives_before_its_time() -> None:
    link: Link[str] = Link(Weather(latency_ms=10))
    link.send("a", now=1.0)
    assert link.receive(now=1.009) == []
    assert link.receive(now=1.01) == [(1.01, "a")]
    assert link.receive(now=2.0) == []


def test_loss_comes_in_bursts() -> None:
    weather = Weather(to_bad=0.02, to_good=0.2, loss_bad=1.0)
    arrived = {number for _, number in fate(weather, 1)}
    lost = set(range(2_000)) - arrived
    runs = len([number for number in lost if number - 1 not in lost])
    assert 100 < len(lost) < 300
    assert len(lost) / runs > 3


def test_jitter_overtakes_only_where_allowed() -> None:
    ordered = [number for _, number in fate(Weather(jitter_ms=100), 1)]
    assert ordered == sorted(ordered)
    mixed = [number for _, number in fate(Weather(jitter_ms=100, is_in_order=False), 1)]
    assert mixed != sorted(mixed)
    assert len(fate(Weather(duplicate=1.0), 1)) == 4_000


def test_a_rate_makes_packets_wait_and_a_full_queue_loses_them() -> None:
    link: Link[int] = Link(Weather(rate_bytes_per_s=1_000, queue_bytes=300))
    for number in range(5):
        link.send(number, now=0.0, size_bytes=100)
    assert link.next_arrival == pytest.approx(0.1)
    arrived = link.receive(now=9.0)
    assert [number for _, number in arrived] == [0, 1, 2]
    assert [at for at, _ in arrived] == pytest.approx([0.1, 0.2, 0.3])
    assert link.lost == [3, 4]
    link.send(5, now=9.0, size_bytes=100)
    [(at, number)] = link.receive(now=10.0)
    assert number == 5
    assert at == pytest.approx(9.1)
