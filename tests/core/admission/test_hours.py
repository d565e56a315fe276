from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.rules.admission.hours import (
    Closed,
    Open,
    describe_opening,
    local_day,
    next_midnight_unix,
    opening,
)
from talkbutton.settings.model import HoursSettings

pytestmark = pytest.mark.core

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = ("09:00-12:30", "14:00-18:00")
NEVER: dict[str, Any] = dict.fromkeys(
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"], ()
)
WEEK: dict[str, Any] = {
    "timezone": "Europe/Berlin",
    **dict.fromkeys(["monday", "tuesday", "wednesday", "thursday", "friday"], OFFICE),
    "saturday": (),
    "sunday": (),
}


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def hours(**more: Any) -> HoursSettings:
    return HoursSettings(**{**WEEK, **more})


def test_always_open_until_hours_are_set() -> None:
    assert opening(HoursSettings(), now_unix=1_800_000_000.0) == Open()


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-11-24T08:59:59", "2026-11-24T09:00"),
        ("2026-11-24T09:00:00", None),
        ("2026-11-24T12:29:59", None),
        ("2026-11-24T12:30:00", "2026-11-24T14:00"),
        ("2026-11-24T18:00:00", "2026-11-25T09:00"),
        ("2026-11-27T18:00:00", "2026-11-30T09:00"),
    ],
)
def test_opens_and_closes_on_the_minute(now: str, opens: str | None) -> None:
    expected = Open() if opens is None else Closed(at(opens))
    assert opening(hours(), now_unix=at(now)) == expected


def test_a_closed_date_is_passed_over() -> None:
    closed = hours(closed_dates=("2026-11-24", "2026-11-25"))
    assert opening(closed, now_unix=at("2026-11-24T10:00")) == Closed(at("2026-11-26T09:00"))


def test_closed_dates_may_take_away_many_weeks() -> None:
    mondays = tuple(f"2026-11-{day:02}" for day in (9, 16, 23, 30))
    only = HoursSettings(
        **{**NEVER, "timezone": "Europe/Berlin", "monday": OFFICE, "closed_dates": mondays}
    )
    assert opening(only, now_unix=at("2026-11-03T10:00")) == Closed(at("2026-12-07T09:00"))


def test_never_open() -> None:
    assert opening(HoursSettings(**NEVER), now_unix=0.0) == Closed(None)


@pytest.mark.parametrize(
    ("now", "opens", "offset_h"),
    [("2026-03-28T20:00", "2026-03-29T09:00", 2), ("2026-10-24T20:00", "2026-10-25T09:00", 1)],
)
def test_the_opening_follows_daylight_saving_time(now: str, opens: str, offset_h: int) -> None:
    found = opening(hours(sunday=OFFICE), now_unix=at(now))
    assert found == Closed(at(opens))
    utc = datetime.fromisoformat(f"{opens}+00:00") - timedelta(hours=offset_h)
    assert found == Closed(utc.timestamp())


@pytest.mark.parametrize(
    ("now", "opens", "words"),
    [
        ("2026-11-24T08:00", "2026-11-24T09:00", "today at 09:00 (Berlin time)"),
        ("2026-11-24T20:00", "2026-11-25T09:00", "tomorrow at 09:00 (Berlin time)"),
        ("2026-11-27T20:00", "2026-11-30T09:00", "on Monday at 09:00 (Berlin time)"),
        ("2026-11-27T20:00", "2026-12-04T09:00", "on 4 December at 09:00 (Berlin time)"),
    ],
)
def test_the_next_opening_in_words(now: str, opens: str, words: str) -> None:
    sentence = describe_opening(hours(), at(opens), now_unix=at(now))
    assert sentence == f"Nobody answers at this time of day. We are back {words}."


def test_a_day_ends_at_the_sites_midnight() -> None:
    now_unix = datetime(2026, 11, 24, 23, 30, tzinfo=UTC).timestamp()
    assert local_day(hours(), now_unix=now_unix).isoformat() == "2026-11-25"
    assert next_midnight_unix(hours(), now_unix=now_unix) == at("2026-11-26T00:00")


def test_the_day_of_the_long_night_has_25_hours() -> None:
    start = at("2026-10-25T00:00")
    assert next_midnight_unix(hours(), now_unix=start) - start == 25 * 3600


RANGES = (
    st.lists(st.integers(0, 1_440), min_size=2, max_size=6, unique=True)
    .map(sorted)
    .map(
        lambda m: tuple(
            f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}"
            for a, b in zip(m[::2], m[1::2], strict=False)
        )
    )
)


@given(
    times=st.lists(RANGES, min_size=7, max_size=7),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    now_unix=st.integers(1_700_000_000, 1_900_000_000),
)
def test_it_is_open_at_every_opening_that_is_named(
    times: list[tuple[str, ...]], zone: str, now_unix: int
) -> None:
    some = HoursSettings(timezone=zone, **dict(zip(NEVER, times, strict=True)))
    found = opening(some, now_unix=now_unix)
    if isinstance(found, Closed):
        assert found.opens_unix is not None
        assert now_unix < found.opens_unix <= now_unix + 8 * 86_400
        local = datetime.fromtimestamp(found.opens_unix, ZoneInfo(zone))
        begins = [text[:5] for text in times[local.weekday()]]
        # An opening that daylight saving time leaves out is as late as the clock jumps.
        assert (
            f"{local:%H:%M}" in begins
            or local.utcoffset()
            != (local - timedelta(hours=2)).astimezone(UTC).astimezone(ZoneInfo(zone)).utcoffset()
        )
