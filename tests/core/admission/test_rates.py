import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.rules.admission.rates import AddressRates, Rate, Taken, address_bucket

pytestmark = pytest.mark.core

RATE = Rate(per_s=0.5, burst=3)


def test_a_burst_then_the_rate() -> None:
    rates = AddressRates(RATE, addresses_max=10)
    taken = [rates.take("192.0.2.1", now=0.0) for _ in range(4)]
    assert taken == [Taken(0.0, 0), Taken(0.0, 1), Taken(0.0, 2), Taken(2.0, 3)]
    assert rates.take("192.0.2.1", now=1.0) == Taken(1.0, 3)
    assert rates.take("192.0.2.1", now=2.0) == Taken(0.0, 2)
    assert rates.take("192.0.2.2", now=2.0) == Taken(0.0, 0)
    assert rates.take("192.0.2.1", now=60.0) == Taken(0.0, 0)


def test_ipv6_counts_by_its_64() -> None:
    rates = AddressRates(Rate(1.0, 1), addresses_max=10)
    assert rates.take("2001:db8::1", now=0.0).wait_s == 0.0
    assert rates.take("2001:db8::ffff:1", now=0.0).wait_s > 0.0
    assert rates.take("2001:db8:0:1::1", now=0.0).wait_s == 0.0
    assert address_bucket("192.0.2.1") == "192.0.2.1"


def test_memory_is_bounded_and_who_asked_longest_ago_is_forgotten() -> None:
    rates = AddressRates(Rate(0.01, 1), addresses_max=100)
    for number in range(10_000):
        rates.take(f"10.0.{number // 256}.{number % 256}", now=number / 1_000)
        rates.take("192.0.2.1", now=number / 1_000)
    assert len(rates) == 100
    assert rates.take("192.0.2.1", now=10.0).wait_s > 0.0


@given(st.lists(st.floats(0, 5), max_size=200))
def test_no_more_than_burst_and_rate_ever_pass(gaps: list[float]) -> None:
    rates, now, passed = AddressRates(RATE, addresses_max=2), 0.0, 0
    for gap in gaps:
        now += gap
        passed += rates.take("192.0.2.1", now=now).wait_s == 0.0
    assert passed <= RATE.burst + now * RATE.per_s + 1e-6
