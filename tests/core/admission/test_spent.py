from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.rules.admission import Grant, SpentGrants

pytestmark = pytest.mark.core

GRANT = Grant("0" * 32, "default", "https://shop.example", "192.0.2.0/24", 0, 60)


def test_a_grant_is_good_once() -> None:
    spent = SpentGrants()
    assert spent.spend(GRANT, now_unix=1.0)
    assert not spent.spend(GRANT, now_unix=1.0)
    assert not spent.spend(GRANT, now_unix=59.9)


def test_others_do_not_count() -> None:
    spent = SpentGrants()
    spent.spend(GRANT, now_unix=1.0)
    assert spent.spend(replace(GRANT, call_id="1" * 32), now_unix=1.0)


@given(st.lists(st.integers(1, 120), min_size=1, max_size=60))
def test_memory_holds_only_the_living(lifetimes_s: list[int]) -> None:
    spent = SpentGrants()
    for number, lifetime_s in enumerate(lifetimes_s):
        grant = replace(GRANT, call_id=f"{number:032x}", expires_unix=number + lifetime_s)
        assert spent.spend(grant, now_unix=float(number))
        alive = [
            born + lifetime
            for born, lifetime in enumerate(lifetimes_s[: number + 1])
            if born + lifetime > number
        ]
        assert len(spent) == len(alive)
