"""Does a site take calls now, and when next?

Times are those of the clock on the wall in the site's time zone; what daylight saving time leaves
out or repeats is as long as that day is.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from talkbutton.settings.protection import HoursSettings
from talkbutton.settings.times import TimeRange, find_zone, parse_date, parse_day_times

__all__ = ["Closed", "Open", "describe_opening", "local_day", "next_midnight_unix", "opening"]

_WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class Open:
    """Calls are taken."""


@dataclass(frozen=True, slots=True)
class Closed:
    """No calls are taken.

    Attributes:
        opens_unix: When they are again, in Unix seconds; None if never.
    """

    opens_unix: float | None


def opening(hours: HoursSettings, *, now_unix: float) -> Open | Closed:
    """Return whether calls are taken now, or from when on."""
    plan = _plan(hours)
    now = _local(hours, now_unix)
    minute = now.hour * 60 + now.minute
    if any(one.first_minute <= minute < one.end_minute for one in plan.times_of(now.date())):
        return Open()
    return Closed(_next_opening(hours, now.date(), now_unix))


def describe_opening(hours: HoursSettings, opens_unix: float, *, now_unix: float) -> str:
    """Return the sentence for a visitor that says when calls are taken again."""
    now, opens = _local(hours, now_unix), _local(hours, opens_unix)
    days = (opens.date() - now.date()).days
    if days == 0:
        day = "today"
    elif days == 1:
        day = "tomorrow"
    elif days < _WEEK_DAYS:
        day = f"on {opens:%A}"
    else:
        day = f"on {opens.day} {opens:%B}"
    place = hours.timezone.rpartition("/")[2].replace("_", " ")
    return f"Nobody answers at this time of day. We are back {day} at {opens:%H:%M} ({place} time)."


def local_day(hours: HoursSettings, *, now_unix: float) -> date:
    """Return the day that it is at the site."""
    return _local(hours, now_unix).date()


def next_midnight_unix(hours: HoursSettings, *, now_unix: float) -> float:
    """Return when that day ends, in Unix seconds."""
    return _unix_of(hours, local_day(hours, now_unix=now_unix) + timedelta(days=1), 0)


@dataclass(frozen=True, slots=True)
class _Plan:
    """Opening hours, parsed.

    Attributes:
        week: The times of each day, Monday first.
        closed: Days without any.
    """

    week: tuple[tuple[TimeRange, ...], ...]
    closed: frozenset[date]

    def times_of(self, day: date) -> tuple[TimeRange, ...]:
        """Return when calls are taken on ``day``."""
        return () if day in self.closed else self.week[day.weekday()]


@lru_cache(maxsize=256)  # every page view asks
def _plan(hours: HoursSettings) -> _Plan:
    week = (
        hours.monday,
        hours.tuesday,
        hours.wednesday,
        hours.thursday,
        hours.friday,
        hours.saturday,
        hours.sunday,
    )
    closed = frozenset(parse_date(text) for text in hours.closed_dates)
    return _Plan(tuple(parse_day_times(texts) for texts in week), closed)


def _next_opening(hours: HoursSettings, today: date, now_unix: float) -> float | None:
    plan = _plan(hours)
    if not any(plan.week):
        return None
    # Each closed date can take away one week's only opening.
    weeks = len(plan.closed) + 1
    for days in range(weeks * _WEEK_DAYS + 1):
        day = today + timedelta(days=days)
        for one in plan.times_of(day):
            opens_unix = _unix_of(hours, day, one.first_minute)
            if opens_unix > now_unix:
                return opens_unix
    return None


def _local(hours: HoursSettings, unix: float) -> datetime:
    return datetime.fromtimestamp(unix, UTC).astimezone(find_zone(hours.timezone))


def _unix_of(hours: HoursSettings, day: date, minute: int) -> float:
    midnight = datetime.combine(day, time(), find_zone(hours.timezone))
    return (midnight + timedelta(minutes=minute)).timestamp()
