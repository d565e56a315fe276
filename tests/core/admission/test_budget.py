from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.rules.admission.budget import (
    BudgetKey,
    budget_claims,
    budget_reservation,
    budget_used,
    read_budget_key,
)
from talkbutton.rules.admission.claims import Claim, Hold, decide
from talkbutton.settings.model import BudgetSettings, HoursSettings, SiteSettings

pytestmark = pytest.mark.core

NOW = datetime(2026, 11, 24, 23, 30, tzinfo=ZoneInfo("UTC")).timestamp()
MIDNIGHT = datetime(2026, 11, 26, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()


def site(duration_max_s: int = 600, **budget: Any) -> SiteSettings:
    return SiteSettings(
        call_duration_max_s=duration_max_s,
        budget=BudgetSettings(**budget),
        hours=HoursSettings(timezone="Europe/Berlin"),
    )


def test_nothing_is_claimed_until_a_budget_is_set() -> None:
    assert budget_claims("shop", site(), now_unix=NOW) == []
    assert budget_used("shop", site(), claimed_unix=NOW, used_s=60) == {}


def test_a_call_reserves_its_longest_duration_until_the_sites_midnight() -> None:
    shop = site(calls_per_day=5, minutes_per_day=60, money_per_day=3.0, price_per_minute=0.2)
    assert budget_claims("shop", shop, now_unix=NOW) == [
        Claim("budget.calls:shop:2026-11-25", 5, MIDNIGHT, "budget_spent", 1.0),
        Claim("budget.minutes:shop:2026-11-25", 60, MIDNIGHT, "budget_spent", 10.0),
        Claim("budget.money:shop:2026-11-25", 3.0, MIDNIGHT, "budget_spent", 2.0),
    ]


def test_what_was_not_used_is_given_back() -> None:
    shop = site(calls_per_day=5, minutes_per_day=60, money_per_day=3.0, price_per_minute=0.2)
    assert budget_used("shop", shop, claimed_unix=NOW, used_s=90) == {
        "budget.calls:shop:2026-11-25": 1.0,
        "budget.minutes:shop:2026-11-25": 1.5,
        "budget.money:shop:2026-11-25": pytest.approx(0.3),
    }


def test_a_call_that_never_carried_sound_costs_nothing() -> None:
    shop = site(calls_per_day=5, minutes_per_day=60)
    assert set(budget_used("shop", shop, claimed_unix=NOW, used_s=0).values()) == {0.0}


def test_a_budget_of_sixty_minutes_holds_six_calls_at_once() -> None:
    [claim] = budget_claims("shop", site(minutes_per_day=60), now_unix=NOW)
    held = [Hold(f"c{n}", claim.weight, claim.until_unix) for n in range(6)]
    assert decide([claim], {claim.key: held[:5]}, now_unix=NOW) is None
    full = decide([claim], {claim.key: held}, now_unix=NOW)
    assert full is not None
    assert full.room_at_unix == MIDNIGHT


@given(
    used_s=st.lists(st.floats(0, 10_000), max_size=40),
    minutes=st.integers(10, 200),
    price=st.floats(0.001, 0.5),
)
def test_the_budget_is_never_overrun(used_s: list[float], minutes: int, price: float) -> None:
    """Calls come one after the other; each reserves, talks (too long, if it can), and settles."""
    money = 10 * price * 3
    shop = site(minutes_per_day=minutes, money_per_day=money, price_per_minute=price)
    held: dict[str, list[Hold]] = {}
    for number, used in enumerate(used_s):
        claims = budget_claims("shop", shop, now_unix=NOW)
        if decide(claims, held, now_unix=NOW) is not None:
            continue
        weights = budget_used("shop", shop, claimed_unix=NOW, used_s=used)
        for claim in claims:
            assert 0 <= weights[claim.key] <= claim.weight
            hold = Hold(f"c{number}", weights[claim.key], claim.until_unix)
            held.setdefault(claim.key, []).append(hold)
    spent = {key: sum(hold.weight for hold in holds) for key, holds in held.items()}
    assert spent.get("budget.minutes:shop:2026-11-25", 0) <= minutes + 1e-9
    assert spent.get("budget.money:shop:2026-11-25", 0) <= money * (1 + 1e-9)


def test_a_grant_reserves_for_as_long_as_it_may_wait() -> None:
    shop = site(minutes_per_day=60)
    [claim] = budget_reservation("shop", shop, now_unix=NOW, until_unix=NOW + 60)
    [kept] = budget_claims("shop", shop, now_unix=NOW)
    assert claim == replace(kept, until_unix=NOW + 65)


@pytest.mark.parametrize("kind", ["calls", "minutes", "money"])
def test_a_key_can_be_read(kind: str) -> None:
    shop = site(calls_per_day=5, minutes_per_day=60, money_per_day=3.0, price_per_minute=0.2)
    keys = [read_budget_key(claim.key) for claim in budget_claims("shop", shop, now_unix=NOW)]
    assert BudgetKey(kind, "shop", "2026-11-25") in keys
