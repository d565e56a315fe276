"""What an attacker can cost the owner, from the limits alone: the worst case, as arithmetic."""

from dataclasses import dataclass

from talkbutton.settings.model import Settings

__all__ = ["Exposure", "exposure"]

_MINUTES_IN_HOUR = 60.0


@dataclass(frozen=True, slots=True)
class Exposure:
    """The most that attackers who never tire get out of one site.

    Attributes:
        addresses: IPv4 addresses (or IPv6 /48 networks of one /64 each) that they have.
        calls_per_hour: Calls begun in an hour.
        minutes_per_hour: Minutes of calls in an hour.
        minutes_per_day: The same in a day, with the site's daily budget.
        money_per_day: What these minutes cost at the site's price; 0.0 without one.
    """

    addresses: int
    calls_per_hour: float
    minutes_per_hour: float
    minutes_per_day: float
    money_per_day: float


def exposure(settings: Settings, site_name: str, *, addresses: int) -> Exposure:
    """Return what ``addresses`` addresses can cost ``site_name``, its challenge left aside.

    All calls are as long as they may be. The daily figures hold from midnight to midnight.

    Raises:
        KeyError: If there is no such site.
    """
    site = settings.sites[site_name]
    limits, budget = site.limits, site.budget
    call_min = site.call_duration_max_s / 60
    lines = min(limits.calls_max, settings.limits.calls_max)
    minutes_per_address = min(
        limits.calls_per_address_and_hour * call_min, limits.calls_per_address * _MINUTES_IN_HOUR
    )
    minutes = min(addresses * minutes_per_address, lines * _MINUTES_IN_HOUR)
    minutes_per_day = minutes * 24
    if budget.calls_per_day is not None:
        minutes_per_day = min(minutes_per_day, budget.calls_per_day * call_min)
    if budget.minutes_per_day is not None:
        minutes_per_day = min(minutes_per_day, float(budget.minutes_per_day))
    if budget.money_per_day is not None and budget.price_per_minute > 0:
        minutes_per_day = min(minutes_per_day, budget.money_per_day / budget.price_per_minute)
    return Exposure(
        addresses,
        calls_per_hour=minutes / call_min,
        minutes_per_hour=minutes,
        minutes_per_day=minutes_per_day,
        money_per_day=minutes_per_day * budget.price_per_minute,
    )
