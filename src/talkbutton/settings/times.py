"""Times of day, dates and time zones as settings write them. Pure.

Source: the IANA time zone database, from the system or else from the ``tzdata`` package.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

__all__ = ["TimeRange", "find_zone", "parse_date", "parse_day_times"]

_RANGE = re.compile(r"([0-9]{2}):([0-5][0-9])-([0-9]{2}):([0-5][0-9])")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Part of a day, in minutes from midnight on the clock on the wall.

    Attributes:
        first_minute: The first that belongs to it.
        end_minute: The first after it; 1,440 is the end of the day.
    """

    first_minute: int
    end_minute: int


def parse_day_times(texts: Sequence[str]) -> tuple[TimeRange, ...]:
    """Return the ranges of one day, such as those in ``["09:00-12:30", "14:00-18:00"]``.

    Raises:
        ValueError: If one has another form, ends before it begins, or begins before the one
            before it has ended; says which, and what to write.
    """
    ranges: list[TimeRange] = []
    for text in texts:
        one = _parse_range(text)
        if ranges and one.first_minute < ranges[-1].end_minute:
            raise ValueError(
                f"{text} begins before the times before it have ended; write the day's"
                " times in order, without overlap"
            )
        ranges.append(one)
    return tuple(ranges)


def _parse_range(text: str) -> TimeRange:
    found = _RANGE.fullmatch(text)
    if found is None:
        raise ValueError(f'{text} is no range of times; write it like "09:00-17:30"')
    first_hour, first, end_hour, end = (int(part) for part in found.groups())
    one = TimeRange(first_hour * 60 + first, end_hour * 60 + end)
    if max(one.first_minute, one.end_minute) > _DAY_MINUTES:
        raise ValueError(f"{text} is beyond the day's end, which is 24:00")
    if one.first_minute >= one.end_minute:
        raise ValueError(
            f"{text} ends before it begins; a night needs two ranges, until 24:00 and"
            " from 00:00 of the next day"
        )
    return one


def parse_date(text: str) -> date:
    """Return the day in ``text``, such as ``2026-12-25``.

    Raises:
        ValueError: If it is no date of that form; says what to write.
    """
    problem = f'{text} is no date; write it like "2026-12-25"'
    if _DATE.fullmatch(text) is None:
        raise ValueError(problem)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(problem) from None


def find_zone(name: str) -> ZoneInfo:
    """Return the time zone of this name.

    Raises:
        ValueError: If there is none; says what to write.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f'{name} is not in the time zone database; write it like "Europe/Berlin"'
        ) from None
