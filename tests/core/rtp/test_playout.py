"""One behaviour each, by hand; the properties under bad weather are in test_playout_weather."""

from collections.abc import Iterable

import pytest

from talkbutton.protocols.rtp import CONCEAL, Conceal, PlayoutBuffer, RtpPacket

pytestmark = pytest.mark.core

FRAME_S = 0.02
PHASE_S = 0.005  # of the ticks, after the packets


def packet(number: int, *, ssrc: int = 1, **changes: int) -> RtpPacket:
    return RtpPacket(
        payload_type=0,
        sequence_number=changes.get("sequence_number", number) & 0xFFFF,
        timestamp=changes.get("timestamp", number * 160) & 0xFFFF_FFFF,
        ssrc=ssrc,
        payload=number.to_bytes(4, "big"),
        marker=bool(changes.get("marker", 0)),
    )


def playout(*, delay_min_ms: int = 20, delay_max_ms: int = 200) -> PlayoutBuffer:
    return PlayoutBuffer(
        clock_rate_hz=8_000,
        samples_per_frame=160,
        payload_bytes=4,
        delay_min_ms=delay_min_ms,
        delay_max_ms=delay_max_ms,
    )


def play(
    buffer: PlayoutBuffer, arrivals: Iterable[tuple[float, RtpPacket]], *, ticks: int
) -> list[int | Conceal | None]:
    """Insert packets at their times and pop ``ticks`` times; give packets back as numbers."""
    waiting = sorted(arrivals, key=lambda arrival: arrival[0])
    played: list[int | Conceal | None] = []
    for tick in range(ticks):
        now = PHASE_S + tick * FRAME_S
        while waiting and waiting[0][0] <= now:
            at, arrived = waiting.pop(0)
            buffer.insert(arrived, now=at)
        frame = buffer.pop(now=now)
        played.append(int.from_bytes(frame, "big") if isinstance(frame, bytes) else frame)
    return played


def on_time(numbers: Iterable[int]) -> list[tuple[float, RtpPacket]]:
    return [(number * FRAME_S, packet(number)) for number in numbers]


def test_plays_in_order_after_the_least_delay() -> None:
    buffer = playout(delay_min_ms=40)
    assert play(buffer, on_time(range(10)), ticks=8) == [None, None, 0, 1, 2, 3, 4, 5]
    assert buffer.delay_ms == pytest.approx(45)


def test_an_empty_buffer_is_silent() -> None:
    assert play(playout(), [], ticks=2) == [None, None]
    assert playout().delay_ms is None


def test_sorts_what_was_reordered() -> None:
    arrivals = [(0.0, packet(0)), (0.041, packet(1)), (0.040, packet(2)), (0.06, packet(3))]
    assert play(playout(delay_min_ms=40), arrivals, ticks=6) == [None, None, 0, 1, 2, 3]


def test_drops_duplicates() -> None:
    buffer = playout()
    assert play(buffer, on_time([0, 1, 1, 2, 0, 3]), ticks=6) == [None, 0, 1, 2, 3, CONCEAL]
    assert buffer.stats.duplicate_packets == 2
    assert buffer.stats.late_packets == 0


def test_conceals_a_lost_packet_without_growing() -> None:
    buffer = playout()
    played = play(buffer, on_time([0, 1, 3, 4, 5]), ticks=6)
    assert played == [None, 0, 1, CONCEAL, 3, 4]
    assert buffer.delay_ms == pytest.approx(25)
    assert buffer.stats.lost_packets == 1


def test_plays_a_late_packet_on_the_next_tick_and_grows() -> None:
    buffer = playout()
    arrivals = [*on_time([0, 1]), (0.066, packet(2)), (0.067, packet(3))]
    played = play(buffer, arrivals, ticks=6)
    assert played == [None, 0, 1, CONCEAL, 2, 3]
    assert buffer.delay_ms == pytest.approx(45)
    assert buffer.stats.lost_packets == 0


def test_counts_what_comes_after_its_turn_as_late_and_not_as_lost() -> None:
    buffer = playout()
    arrivals = [*on_time([0, 1, 3, 4, 5]), (0.1, packet(2))]
    assert play(buffer, arrivals, ticks=7) == [None, 0, 1, CONCEAL, 3, 4, 5]
    assert (buffer.stats.late_packets, buffer.stats.lost_packets) == (1, 0)


def test_shrinks_when_the_network_calms_down() -> None:
    buffer = playout()
    rough = [(n * FRAME_S + (0.055 if n % 3 else 0), packet(n)) for n in range(60)]
    calm = on_time(range(60, 900))
    play(buffer, rough, ticks=60)
    grown_ms = buffer.delay_ms
    assert grown_ms is not None
    assert grown_ms >= 55
    for number, (at, arrived) in enumerate(calm, 60):
        buffer.insert(arrived, now=at)
        buffer.pop(now=PHASE_S + number * FRAME_S)
    assert buffer.delay_ms is not None
    assert buffer.delay_ms < 42
    assert 1 <= buffer.stats.discarded_packets <= 3


def test_never_waits_longer_than_the_greatest_delay() -> None:
    buffer = playout(delay_max_ms=60)
    stalled = [(1.0, packet(n)) for n in range(25, 50)]  # half a second, all at once
    played = play(buffer, on_time(range(25)) + stalled + on_time(range(50, 90)), ticks=90)
    assert played[50:53] == [47, 48, 49]
    assert played[-1] in {85, 86, 87, 88}
    assert buffer.delay_ms is not None
    assert buffer.delay_ms <= 82


def test_gives_up_the_timeline_after_a_long_silence() -> None:
    buffer = playout()
    played = play(buffer, on_time([0, 1]), ticks=10)
    assert played == [None, 0, 1] + [CONCEAL] * 5 + [None] * 2
    late_start = [(5.0, packet(2, timestamp=250 * 160)), (5.02, packet(3, timestamp=251 * 160))]
    for at, arrived in late_start:
        buffer.insert(arrived, now=at)
    assert buffer.pop(now=5.021) == packet(2).payload
    assert buffer.stats.lost_packets == 0


def test_a_marked_pause_is_silence_and_not_concealed() -> None:
    buffer = playout(delay_min_ms=60)
    arrivals = on_time([0, 1, 2])
    arrivals.append((5 * FRAME_S, packet(5, sequence_number=3, marker=1)))
    assert play(buffer, arrivals, ticks=9) == [None, None, None, 0, 1, 2, None, None, 5]
    assert buffer.stats.concealed_frames == buffer.stats.lost_packets == 0


def test_timestamps_need_not_be_exact() -> None:
    arrivals = [
        (n * FRAME_S, packet(n, timestamp=n * 160 + (7 * n) % 17 - 8)) for n in range(1, 20)
    ]
    played = play(playout(), arrivals, ticks=20)
    assert played == [None, None, *range(1, 19)]


def test_another_ssrc_starts_over_and_stragglers_do_not_bring_the_old_one_back() -> None:
    buffer = playout()
    arrivals = on_time(range(5))
    arrivals += [
        (n * FRAME_S, packet(n, ssrc=2, timestamp=n * 160 + 12_345_678, sequence_number=n + 999))
        for n in range(5, 10)
    ]
    arrivals.append((5.5 * FRAME_S, packet(5)))
    played = play(buffer, arrivals, ticks=10)
    assert played == [None, 0, 1, 2, 3, None, 5, 6, 7, 8]
    assert buffer.stats.resyncs == 1
    assert buffer.stats.late_packets == 1
    assert buffer.stats.discarded_packets == 1  # 4, still waiting at the change


@pytest.mark.parametrize("jump", [-80_000, -2_400, 80_000])
def test_a_jump_of_the_timestamps_starts_over(jump: int) -> None:
    buffer = playout()
    arrivals = on_time(range(5))
    arrivals += [(n * FRAME_S, packet(n, timestamp=n * 160 + jump)) for n in range(5, 10)]
    arrivals.append((5.6 * FRAME_S, packet(4)))
    played = play(buffer, arrivals, ticks=10)
    assert played == [None, 0, 1, 2, 3, None, 5, 6, 7, 8]
    assert buffer.stats.resyncs == 1


def test_a_jump_of_the_sequence_numbers_needs_a_second_packet() -> None:
    buffer = playout()
    arrivals = on_time(range(5))
    arrivals.append((0.09, packet(99, sequence_number=30_000)))
    arrivals += [(n * FRAME_S, packet(n, sequence_number=n + 20_000)) for n in range(5, 10)]
    played = play(buffer, arrivals, ticks=11)
    assert 99 not in played
    assert played[-4:] == [6, 7, 8, 9]
    assert buffer.stats.resyncs == 1


def test_counters_wrap() -> None:
    arrivals = [
        (n * FRAME_S, packet(n, sequence_number=65_530 + n, timestamp=(1 << 32) - 800 + 160 * n))
        for n in range(12)
    ]
    assert play(playout(), arrivals, ticks=13)[1:] == [*range(12)]


def test_a_packet_may_hold_several_frames() -> None:
    buffer = playout()
    arrivals = []
    for number in (0, 2, 4):
        payload = number.to_bytes(4, "big") + (number + 1).to_bytes(4, "big")
        sent = RtpPacket(0, number // 2, number * 160, 1, payload)
        arrivals.append((number * FRAME_S, sent))
    assert play(buffer, arrivals, ticks=7) == [None, 0, 1, 2, 3, 4, 5]
    assert buffer.stats.played_packets == 3


@pytest.mark.parametrize("step_s", [-0.5, 0.5])
def test_a_lasting_change_of_the_transit_does_not_silence_the_call(step_s: float) -> None:
    buffer = playout(delay_max_ms=60)
    changed = [(n * FRAME_S + step_s, packet(n)) for n in range(75, 400)]
    played = play(buffer, on_time(range(75)) + changed, ticks=374)
    numbers = [number for number in played if isinstance(number, int)]
    assert len([number for number in numbers if 75 <= number < 275]) >= 160
    assert len([number for number in numbers if 300 <= number < 340]) == 40
    assert buffer.delay_ms is not None
    assert buffer.delay_ms <= 82


@pytest.mark.parametrize("payload", [b"", b"abc", b"abcde"])
def test_a_payload_of_no_whole_frames_is_a_misfit(payload: bytes) -> None:
    buffer = playout()
    buffer.insert(RtpPacket(0, 0, 0, 1, payload), now=0.0)
    assert buffer.stats.misfit_packets == 1
    assert buffer.waiting_packets == 0


def test_a_flood_is_bounded() -> None:
    buffer = playout()
    for number in range(2_000):
        buffer.insert(packet(number), now=0.0 + number * 0.0001)
    assert buffer.waiting_packets <= 256
    assert buffer.stats.received_packets == 2_000
