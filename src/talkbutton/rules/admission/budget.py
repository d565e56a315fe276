"""What a site may spend in a day of its own time zone, as claims on a ledger.

A call reserves its longest duration before it begins, so that no number of calls at once can
overrun the budget, and what it did not use is given back when it ends. A call whose edge died
keeps what it reserved: in doubt it was spent.
"""

from dataclasses import dataclass, replace

from talkbutton.rules.admission.claims import Claim
from talkbutton.rules.admission.hours import local_day, next_midnight_unix
from talkbutton.settings.model import SiteSettings

__all__ = ["BudgetKey", "budget_claims", "budget_reservation", "budget_used", "read_budget_key"]

_S_PER_MINUTE = 60
_GRACE_S = 5.0  # a grant that is used in its last moment must find its reservation


@dataclass(frozen=True, slots=True)
class BudgetKey:
    """What a budget's key on the ledger stands for.

    Attributes:
        kind: ``calls``, ``minutes`` or ``money``.
        site: The site.
        day: The day, such as ``2026-11-24``.
    """

    kind: str
    site: str
    day: str


def read_budget_key(key: str) -> BudgetKey:
    """Return what the key of a claim of ``budget_claims`` stands for."""
    return BudgetKey(*key.removeprefix("budget.").split(":"))


def budget_claims(site_name: str, site: SiteSettings, *, now_unix: float) -> list[Claim]:
    """Return what one call reserves of the day's budget, until the day ends; none without one."""
    until_unix = next_midnight_unix(site.hours, now_unix=now_unix)
    return [
        Claim(
            key=_key(kind, site_name, site, now_unix),
            limit=limit,
            until_unix=until_unix,
            code="budget_spent",
            weight=_weight(kind, site, site.call_duration_max_s),
        )
        for kind, limit in _limits(site)
    ]


def budget_reservation(
    site_name: str, site: SiteSettings, *, now_unix: float, until_unix: float
) -> list[Claim]:
    """Return the same for as long as a grant may wait: who never starts a call takes nothing away.

    Args:
        site_name: The site.
        site: Its settings.
        now_unix: The moment that the grant is given.
        until_unix: When the grant ends.
    """
    claims = budget_claims(site_name, site, now_unix=now_unix)
    return [replace(claim, until_unix=until_unix + _GRACE_S) for claim in claims]


def budget_used(
    site_name: str, site: SiteSettings, *, claimed_unix: float, used_s: float
) -> dict[str, float]:
    """Return what each of a call's claims turned out to weigh, by key.

    Args:
        site_name: The site.
        site: Its settings.
        claimed_unix: The moment that the claims were made for.
        used_s: Seconds that the call was up; 0 for one that never carried sound, which costs
            nothing and does not count.
    """
    used_s = min(used_s, site.call_duration_max_s)
    return {
        _key(kind, site_name, site, claimed_unix): _weight(kind, site, used_s)
        for kind, _ in _limits(site)
    }


def _limits(site: SiteSettings) -> list[tuple[str, float]]:
    limits = {
        "calls": site.budget.calls_per_day,
        "minutes": site.budget.minutes_per_day,
        "money": site.budget.money_per_day,
    }
    return [(kind, limit) for kind, limit in limits.items() if limit is not None]


def _key(kind: str, site_name: str, site: SiteSettings, unix: float) -> str:
    return f"budget.{kind}:{site_name}:{local_day(site.hours, now_unix=unix).isoformat()}"


def _weight(kind: str, site: SiteSettings, used_s: float) -> float:
    minutes = used_s / _S_PER_MINUTE
    match kind:
        case "minutes":
            return minutes
        case "money":
            return minutes * site.budget.price_per_minute
        case _:
            return 1.0 if used_s > 0 else 0.0
