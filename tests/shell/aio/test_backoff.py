import pytest

from talkbutton.runtime.aio.backoff import Backoff

pytestmark = pytest.mark.core


def test_doubles_up_to_the_limit_and_starts_over() -> None:
    backoff = Backoff(first_s=0.2, max_s=1.0, random=lambda: 0.0)
    assert [backoff.next_s() for _ in range(4)] == pytest.approx([0.2, 0.4, 0.8, 1.0])
    backoff.reset()
    assert backoff.next_s() == pytest.approx(0.2)


def test_chance_shortens_a_wait_by_up_to_half() -> None:
    backoff = Backoff(first_s=1.0, max_s=1.0, random=iter([0.0, 0.5, 1.0]).__next__)
    assert [backoff.next_s() for _ in range(3)] == pytest.approx([1.0, 0.75, 0.5])
