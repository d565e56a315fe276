import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.settings.times import TimeRange, find_zone, parse_date, parse_day_times

pytestmark = pytest.mark.core


def test_times_of_a_day() -> None:
    assert parse_day_times(["00:00-09:30", "14:00-24:00"]) == (
        TimeRange(0, 570),
        TimeRange(840, 1_440),
    )
    assert parse_day_times(["09:00-12:00", "12:00-13:00"])[1] == TimeRange(720, 780)
    assert parse_day_times([]) == ()


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (["25:00-26:00"], "beyond the day's end"),
        (["09:00-24:01"], "beyond the day's end"),
        (["24:00-24:00"], "ends before it begins"),
        (["9:00-17:00"], "no range of times"),
        (["09:60-17:00"], "no range of times"),
        (["09:00 - 17:00"], "no range of times"),
        (["09:00"], "no range of times"),
        (["٠٩:00-17:00"], "no range of times"),
        (["09:00-17:00\n"], "no range of times"),
        ([""], "no range of times"),
        (["22:00-06:00"], "a night needs two ranges"),
        (["09:00-09:00"], "ends before it begins"),
        (["09:00-12:00", "11:59-13:00"], "without overlap"),
        (["14:00-18:00", "09:00-12:00"], "without overlap"),
    ],
)
def test_what_is_no_time_of_a_day(texts: list[str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_day_times(texts)


@given(st.lists(st.text(max_size=14), max_size=3))
def test_any_text_is_a_time_or_a_value_error(texts: list[str]) -> None:
    try:
        ranges = parse_day_times(texts)
    except ValueError:
        return
    minutes = [m for one in ranges for m in (one.first_minute, one.end_minute)]
    assert minutes == sorted(minutes)


def test_dates() -> None:
    assert parse_date("2026-12-25").day == 25


@pytest.mark.parametrize("text", ["2026-02-30", "20261225", "2026-W52-5", "25.12.2026", ""])
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(ValueError, match="is no date"):
        parse_date(text)


def test_zones() -> None:
    assert find_zone("Europe/Berlin").key == "Europe/Berlin"


@pytest.mark.parametrize("name", ["Mars/Olympus", "Europe", "../etc/passwd", "", "/etc/localtime"])
def test_what_is_no_zone(name: str) -> None:
    with pytest.raises(ValueError, match="not in the time zone database"):
        find_zone(name)
