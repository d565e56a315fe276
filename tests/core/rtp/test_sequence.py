import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.protocols.rtp import unwrap
from talkbutton.protocols.rtp.seen import SeenWindow

pytestmark = pytest.mark.core


@given(last=st.integers(-(1 << 20), 1 << 40), step=st.integers(-(1 << 15), (1 << 15) - 1))
def test_unwrap_follows_any_step_below_half_the_space(last: int, step: int) -> None:
    assert unwrap((last + step) & 0xFFFF, last=last) == last + step


@given(last=st.integers(0, 1 << 40), step=st.integers(-(1 << 31), (1 << 31) - 1))
def test_unwrap_follows_timestamps(last: int, step: int) -> None:
    assert unwrap((last + step) & 0xFFFF_FFFF, last=last, bits=32) == last + step


@given(st.lists(st.integers(0, 300), min_size=1, max_size=200))
def test_seen_window_knows_new_from_old(numbers: list[int]) -> None:
    window = SeenWindow()
    seen: set[int] = set()
    for number in numbers:
        assert window.add(number) is (number not in seen)
        seen.add(number)
    low, high = min(seen), max(seen)
    missing = set(range(low + 1, high)) - seen
    assert window.count_missing(low, high) == len(missing)


def test_seen_window_counts_a_gap_longer_than_itself() -> None:
    window = SeenWindow()
    window.add(0)
    window.add(2_000)
    assert window.count_missing(0, 2_000) == 1_999
    assert window.count_missing(5, 5) == 0
