"""Properties of the playout buffer behind a network that misbehaves."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkbutton.operate.natlab.link import PRESETS, Link, Weather
from talkbutton.protocols.rtp import CONCEAL, PlayoutBuffer, PlayoutStats, RtpPacket

pytestmark = pytest.mark.core

FRAME_S = 0.02
PACKETS = 300

weathers = st.builds(
    Weather,
    latency_ms=st.floats(0, 100),
    jitter_ms=st.floats(0, 150),
    is_in_order=st.booleans(),
    to_bad=st.floats(0, 0.2),
    to_good=st.floats(0.05, 1),
    loss_good=st.floats(0, 0.05),
    loss_bad=st.floats(0, 1),
    duplicate=st.floats(0, 0.2),
    reorder=st.floats(0, 0.2),
    reorder_ms=st.floats(0, 100),
)


@dataclass
class Played:
    """What a run gave: the packets' numbers in the order of playing, ticks, and counts."""

    numbers: list[int]
    ticks: int
    stats: PlayoutStats
    waiting: int
    concealed: int
    arrived: set[int]


def run(
    weather: Weather,
    *,
    seed: int,
    phase_s: float = 0.007,
    delay_min_ms: int = 20,
    delay_max_ms: int = 200,
) -> Played:
    """Send packets through the weather, starting just before all counters wrap."""
    link: Link[tuple[int, RtpPacket]] = Link(weather, seed)
    buffer = PlayoutBuffer(
        clock_rate_hz=8_000,
        samples_per_frame=160,
        payload_bytes=4,
        delay_min_ms=delay_min_ms,
        delay_max_ms=delay_max_ms,
    )
    numbers, arrived = [], set()
    ticks = concealed = 0
    for tick in range(PACKETS + 50):
        if tick < PACKETS:
            sent = RtpPacket(
                0,
                (65_400 + tick) & 0xFFFF,
                (4_294_950_000 + 160 * tick) & 0xFFFF_FFFF,
                1,
                tick.to_bytes(4, "big"),
            )
            link.send((tick, sent), now=tick * FRAME_S)
        now = tick * FRAME_S + phase_s
        for at, (number, received) in link.receive(now=now):
            arrived.add(number)
            buffer.insert(received, now=at)
        frame = buffer.pop(now=now)
        ticks += 1
        if isinstance(frame, bytes):
            numbers.append(int.from_bytes(frame, "big"))
        concealed += frame is CONCEAL
    return Played(numbers, ticks, buffer.stats, buffer.waiting_packets, concealed, arrived)


@settings(max_examples=60, deadline=None)
@given(weather=weathers, seed=st.integers(0, 1 << 16), phase_s=st.floats(0, 0.0199))
def test_whatever_the_weather_the_books_balance(
    weather: Weather, seed: int, phase_s: float
) -> None:
    played = run(weather, seed=seed, phase_s=phase_s)
    stats = played.stats
    assert played.numbers == sorted(set(played.numbers)), "played twice, or backwards"
    assert stats.received_packets == (
        stats.played_packets
        + stats.late_packets
        + stats.duplicate_packets
        + stats.discarded_packets
        + played.waiting
    )
    assert stats.played_packets == len(played.numbers)
    assert stats.concealed_frames == played.concealed
    assert 0 <= stats.lost_packets <= PACKETS - len(played.arrived)
    assert set(played.numbers) <= played.arrived


@settings(max_examples=40, deadline=None)
@given(
    jitter_ms=st.floats(0, 58),
    is_in_order=st.booleans(),
    duplicate=st.floats(0, 0.3),
    seed=st.integers(0, 1 << 16),
    phase_s=st.floats(0, 0.0199),
)
def test_everything_that_arrived_in_time_is_played(
    jitter_ms: float, is_in_order: bool, duplicate: float, seed: int, phase_s: float
) -> None:
    """At a depth above the jitter nothing is late; only a too slow start is worked off."""
    weather = Weather(jitter_ms=jitter_ms, is_in_order=is_in_order, duplicate=duplicate)
    played = run(weather, seed=seed, phase_s=phase_s, delay_min_ms=60, delay_max_ms=60)
    assert played.stats.late_packets == played.stats.lost_packets == 0
    assert len(played.numbers) == PACKETS - played.stats.discarded_packets
    assert played.stats.discarded_packets <= 3


@settings(max_examples=30, deadline=None)
@given(loss=st.floats(0, 0.4), seed=st.integers(0, 1 << 16), phase_s=st.floats(0, 0.0199))
def test_loss_alone_costs_just_what_was_lost(loss: float, seed: int, phase_s: float) -> None:
    played = run(Weather(latency_ms=3, loss_good=loss), seed=seed, phase_s=phase_s)
    assert set(played.numbers) == played.arrived
    assert played.stats.discarded_packets == played.stats.late_packets == 0


@pytest.mark.parametrize(
    ("preset", "share"),
    [("clean", 1.0), ("wifi_lossy", 0.9), ("cellular", 0.9), ("congested", 0.8)],
)
def test_presets_play_most_of_what_arrives(preset: str, share: float) -> None:
    played = run(PRESETS[preset], seed=1)
    assert len(played.numbers) >= share * len(played.arrived)
    assert played.ticks == PACKETS + 50
