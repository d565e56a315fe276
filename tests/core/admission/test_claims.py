import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.rules.admission.claims import Claim, Full, Hold, decide

pytestmark = pytest.mark.core


def claim(limit: float = 2.0, weight: float = 1.0, key: str = "k") -> Claim:
    return Claim(key, limit, 100.0, "site_calls", weight)


def test_room_is_what_living_holds_leave() -> None:
    held = {"k": [Hold("a", 1.0, 50.0), Hold("b", 1.0, 10.0)]}
    assert decide([claim()], held, now_unix=10.0) is None  # b ended at 10
    assert decide([claim()], held, now_unix=9.9) == Full(claim(), 10.0)


def test_room_comes_when_enough_has_ended() -> None:
    held = {"k": [Hold("a", 1.0, 50.0), Hold("b", 2.0, 20.0), Hold("c", 2.0, 30.0)]}
    full = decide([claim(limit=5.0, weight=3.0)], held, now_unix=0.0)
    assert full is not None
    assert full.room_at_unix == 30.0


def test_more_than_the_limit_never_fits() -> None:
    assert decide([claim(limit=1.0, weight=2.0)], {}, now_unix=0.0) is not None


def test_the_first_claim_without_room_is_told() -> None:
    held = {"b": [Hold("x", 2.0, 50.0)], "c": [Hold("x", 2.0, 50.0)]}
    full = decide([claim(key="a"), claim(key="b"), claim(key="c")], held, now_unix=0.0)
    assert full is not None
    assert full.claim.key == "b"


holds = st.lists(
    st.builds(Hold, st.text(max_size=3), st.floats(0.1, 5.0), st.floats(0.0, 100.0)), max_size=8
)


@given(holds, st.floats(0.5, 10.0), st.floats(0.1, 5.0), st.floats(0.0, 100.0))
def test_nothing_over_the_limit_and_a_true_moment_of_room(
    held: list[Hold], limit: float, weight: float, now_unix: float
) -> None:
    wanted = claim(limit, weight)
    living = sum(hold.weight for hold in held if hold.until_unix > now_unix)
    full = decide([wanted], {"k": held}, now_unix=now_unix)
    if full is None:
        assert living + weight <= limit + 1e-9
    elif weight < limit - 1e-6:
        assert full.room_at_unix > now_unix
        left = sum(hold.weight for hold in held if hold.until_unix > full.room_at_unix)
        assert left + weight <= limit + 1e-6
