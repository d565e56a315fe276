import pytest

from talkbutton.protocols.rtp import ReceptionStats, RtpPacket

pytestmark = pytest.mark.core


def packet(number: int, *, ssrc: int = 1, timestamp: int | None = None) -> RtpPacket:
    ticks = 160 * number if timestamp is None else timestamp
    return RtpPacket(0, number & 0xFFFF, ticks & 0xFFFF_FFFF, ssrc, b"")


def test_even_arrivals_have_no_jitter_and_no_loss() -> None:
    stats = ReceptionStats(clock_rate_hz=8_000)
    for number in range(65_500, 65_600):
        stats.update(packet(number), now=number * 0.02)
    assert stats.received_packets == stats.expected_packets == 100
    assert stats.lost_packets == 0
    assert stats.jitter_ms == pytest.approx(0, abs=1e-6)


def test_jitter_is_the_mean_deviation_of_the_rfc() -> None:
    stats = ReceptionStats(clock_rate_hz=8_000)
    stats.update(packet(0), now=0.0)
    stats.update(packet(1), now=0.02 + 0.016)  # 16 ms late: J = 16 / 16
    assert stats.jitter_ms == pytest.approx(1.0)
    stats.update(packet(2), now=0.04 + 0.016)  # as late as before: J falls by 1 / 16
    assert stats.jitter_ms == pytest.approx(15 / 16)


def test_counts_gaps_and_forgives_reordering() -> None:
    stats = ReceptionStats(clock_rate_hz=8_000)
    for number in (5, 4, 7, 6, 10):
        stats.update(packet(number), now=number * 0.02)
    assert stats.expected_packets == 7
    assert stats.lost_packets == 2  # 8 and 9


def test_another_ssrc_or_a_leap_continues_the_totals() -> None:
    stats = ReceptionStats(clock_rate_hz=8_000)
    for number in range(10):
        stats.update(packet(number), now=number * 0.02)
    stats.update(packet(5_000, timestamp=1 << 31), now=0.2)
    stats.update(packet(40_000, ssrc=2), now=0.22)
    assert stats.received_packets == stats.expected_packets == 12
    assert stats.jitter_ms == pytest.approx(0, abs=1e-6)


def test_nothing_received_is_nothing_expected() -> None:
    assert ReceptionStats(clock_rate_hz=8_000).lost_packets == 0
