import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.rules.admission.bot_signals import SIGNAL_WEIGHTS, Signal, bot_signals
from talkbutton.rules.admission.pressure import (
    ASKED_WEIGHT,
    CROWD_STRAIN_MAX,
    HALF_LIFE_S,
    Counters,
    Crowd,
    Levels,
    decay,
    is_too_fast,
    proof_cost,
    strain,
)

pytestmark = pytest.mark.core

LEVELS = st.floats(0, 1e9)
SHARED_MINUTE = 600


def strained(address: float = 0, network: float = 0, everybody: float = 0) -> float:
    return strain(Levels(address, network, everybody), 0.0, sessions_per_minute=SHARED_MINUTE)


@given(level=LEVELS, one_s=st.floats(0, 1e4), other_s=st.floats(0, 1e4))
def test_decay_does_not_depend_on_how_often_one_looks(
    level: float, one_s: float, other_s: float
) -> None:
    twice = decay(decay(level, after_s=one_s), after_s=other_s)
    assert twice == pytest.approx(decay(level, after_s=one_s + other_s), rel=1e-9, abs=1e-9)
    assert twice <= level


def test_a_level_halves_and_a_clock_that_went_back_takes_nothing() -> None:
    assert decay(8.0, after_s=HALF_LIFE_S) == 4.0
    assert decay(8.0, after_s=-5.0) == 8.0


def test_the_ordinary_is_free_and_the_fifth_in_a_minute_is_not() -> None:
    crowd = Crowd()
    seen = []
    for second in range(6):
        levels = crowd.levels("192.0.2.7", now=float(second))
        seen.append(strain(levels, 0.0, sessions_per_minute=SHARED_MINUTE) >= 1.0)
        crowd.note("192.0.2.7", ASKED_WEIGHT, now=float(second))
    assert seen == [False, False, False, False, False, True]


def test_a_steady_quarter_of_what_is_allowed_is_ordinary() -> None:
    crowd = Crowd()
    rate_per_s = SHARED_MINUTE / 4 / 60
    ticks = int(1_200 * rate_per_s)
    for tick in range(ticks):
        crowd.note(f"10.{tick % 200}.{tick % 199}.1", ASKED_WEIGHT, now=tick / rate_per_s)
    levels = crowd.levels("203.0.113.9", now=1_200.0)
    assert levels.address == levels.network == 0.0
    now = strain(levels, 0.0, sessions_per_minute=SHARED_MINUTE)
    assert now == pytest.approx(1.0, rel=0.02)


def test_the_network_strains_with_its_addresses() -> None:
    crowd = Crowd()
    for last in range(60):
        crowd.note(f"192.0.2.{last}", ASKED_WEIGHT, now=0.0)
    assert crowd.levels("192.0.2.200", now=0.0) == Levels(0.0, 60.0, 60.0)
    assert crowd.levels("192.0.3.1", now=0.0).network == 0.0


@pytest.mark.parametrize(
    ("one", "other", "own", "network"),
    [
        ("192.0.2.7", "192.0.2.8", False, True),
        ("192.0.2.7", "::ffff:192.0.2.7", True, True),
        ("2001:db8:1:1::1", "2001:db8:1:1:ffff::1", True, True),
        ("2001:db8:1:1::1", "2001:db8:1:2::1", False, True),
        ("2001:db8:1:1::1", "2001:db8:2:1::1", False, False),
        ("fe80::1%eth0", "fe80::1", True, True),
    ],
)
def test_who_counts_as_one(one: str, other: str, own: bool, network: bool) -> None:
    crowd = Crowd()
    crowd.note(one, ASKED_WEIGHT, now=0.0)
    levels = crowd.levels(other, now=0.0)
    assert (levels.address > 0, levels.network > 0) == (own, network)
    assert levels.everybody == ASKED_WEIGHT


def test_memory_is_bounded_and_who_comes_again_is_remembered() -> None:
    counters = Counters(100)
    counters.add("persistent", 5.0, now=0.0)
    for number in range(10_000):
        counters.add(f"passing {number}", 1.0, now=0.0)
        if number % 50 == 0:
            counters.add("persistent", 0.0, now=0.0)
    assert len(counters) == 100
    assert counters.level("persistent", now=0.0) == 5.0
    assert counters.level("passing 0", now=0.0) == 0.0


@given(address=LEVELS, network=LEVELS, everybody=LEVELS, more=LEVELS)
def test_more_pressure_is_never_cheaper(
    address: float, network: float, everybody: float, more: float
) -> None:
    before = strained(address, network, everybody)
    assert strained(address + more, network, everybody) >= before
    assert strained(address, network + more, everybody) >= before
    assert strained(address, network, everybody + more) >= before


@given(everybody=LEVELS)
def test_a_crowd_alone_costs_an_honest_visitor_little(everybody: float) -> None:
    cost = proof_cost(strained(everybody=everybody), cost_min=1_000, cost_max=10**8)
    assert cost <= 1_000 * 2 ** (CROWD_STRAIN_MAX - 1)


@given(one=st.floats(0, 1e12), cost_min=st.integers(1_000, 10**7))
def test_the_cost_lies_between_its_ends(one: float, cost_min: int) -> None:
    cost = proof_cost(one, cost_min=cost_min, cost_max=10**8)
    assert cost_min <= cost <= 10**8
    assert proof_cost(one + 1, cost_min=cost_min, cost_max=10**8) >= cost


def test_the_cost_doubles() -> None:
    costs = [proof_cost(s, cost_min=20_000, cost_max=100_000) for s in (0.5, 1, 2, 3, 4, math.inf)]
    assert costs == [20_000, 20_000, 40_000, 80_000, 100_000, 100_000]


def test_work_faster_than_any_browser() -> None:
    assert is_too_fast(hashes=1_000_000, within_s=0.01)
    assert is_too_fast(hashes=1, within_s=-1.0)
    assert not is_too_fast(hashes=1_000_000, within_s=0.4)
    assert not is_too_fast(hashes=0, within_s=0.0)


CHROMIUM = {
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/150.0.0.0 Safari/537.36",
    "accept-language": "en-US",
    "sec-ch-ua": '"Chromium";v="150"',
    "sec-fetch-mode": "cors",
    "sec-fetch-dest": "empty",
    "sec-fetch-site": "cross-site",
}
FIREFOX = {
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "accept-language": "de",
    "sec-fetch-mode": "cors",
    "sec-fetch-dest": "empty",
    "sec-fetch-site": "same-origin",
}
OLD_SAFARI = {
    "user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 16_0 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/16.0 Mobile/15E148 Safari/604.1",
    "accept-language": "fr",
}


@pytest.mark.parametrize("headers", [CHROMIUM, FIREFOX, OLD_SAFARI])
def test_browsers_look_like_browsers(headers: dict[str, str]) -> None:
    assert bot_signals(headers, is_secure=True) == ()


@pytest.mark.parametrize(
    ("changed", "signal"),
    [
        ({"user-agent": ""}, "user_agent_missing"),
        ({"user-agent": "python-httpx/0.28"}, "user_agent_foreign"),
        ({"user-agent": CHROMIUM["user-agent"].replace("Chrome/", "HeadlessChrome/")}, "headless"),
        ({"sec-ch-ua": '"HeadlessChrome";v="150"'}, "headless"),
        ({"accept-language": ""}, "language_missing"),
        ({"sec-fetch-mode": "navigate"}, "fetch_metadata_wrong"),
        ({"sec-fetch-site": "none"}, "fetch_metadata_wrong"),
        ({"sec-fetch-dest": None}, "fetch_metadata_missing"),
        ({"sec-ch-ua": None}, "client_hints_missing"),
    ],
)
def test_what_bots_forget(changed: dict[str, str | None], signal: Signal) -> None:
    headers = {name: text for name, text in (CHROMIUM | changed).items() if text is not None}
    assert bot_signals(headers, is_secure=True) == (signal,)
    assert SIGNAL_WEIGHTS[signal] > 0


def test_on_plain_http_browsers_leave_metadata_out() -> None:
    bare = {name: text for name, text in CHROMIUM.items() if not name.startswith("sec-")}
    assert bot_signals(bare, is_secure=False) == ()
    assert set(bot_signals(bare, is_secure=True)) == {
        "fetch_metadata_missing",
        "client_hints_missing",
    }
