"""What keeps a site's owner from harm: limits, budget, challenge, opening hours, consent. Pure."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from talkbutton.settings.blocks import Block
from talkbutton.settings.times import find_zone, parse_date, parse_day_times

__all__ = [
    "BudgetSettings",
    "ChallengeSettings",
    "ConsentSettings",
    "HoursSettings",
    "LimitsSettings",
    "SiteLimits",
]

Sentence = Annotated[str, StringConstraints(min_length=1, max_length=400)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]


def _checked_day(texts: tuple[str, ...]) -> tuple[str, ...]:
    parse_day_times(texts)
    return texts


def _checked_date(text: str) -> str:
    parse_date(text)
    return text


def _checked_zone(name: str) -> str:
    find_zone(name)
    return name


DayTimes = Annotated[tuple[str, ...], Field(max_length=8), AfterValidator(_checked_day)]
Day = Annotated[str, AfterValidator(_checked_date)]


class LimitsSettings(Block):
    """Limits over all sites, and where they are counted."""

    store: Literal["memory", "sqlite", "redis"] = "sqlite"
    """``sqlite`` counts for all edges of one machine and survives their restart; ``redis`` (Redis
    or Valkey) counts over many machines; ``memory`` is for one edge that may forget."""

    redis_url: Annotated[str, StringConstraints(pattern=r"^rediss?://[^@/?#]+(/[0-9]+)?$")] = (
        "redis://127.0.0.1:6379/0"
    )
    """Where Redis is, without the password, which is a secret (``redis_password``)."""

    calls_max: Count = 100
    """Calls at once, over all sites."""

    sessions_per_minute: Count = 600
    """New sessions a minute, over all sites."""

    lease_s: Annotated[int, Field(ge=5, le=300)] = 20
    """A call whose edge died without a word stops counting after so many seconds."""


class SiteLimits(Block):
    """How much one site gives, in all and to one visitor. IPv6 addresses count by their /64.

    An address is counted over all sites. While ``edge.public_url`` is on this machine only, one
    address may have 20 calls at once, 100 an hour and 120 sessions a minute unless it is set.
    """

    calls_per_address: Count = 1
    """Calls at once from one address."""

    calls_per_address_and_hour: Count = 3
    """Calls within an hour from one address. A call that never carried sound does not count."""

    calls_per_v6_site: Count = 4
    """Calls at once from one IPv6 /48."""

    calls_per_v6_site_and_hour: Count = 12
    """Calls within an hour from one IPv6 /48."""

    sessions_per_address_and_minute: Count = 10
    """New sessions a minute from one address, whether a call comes of them or not."""

    calls_max: Count = 20
    """Calls at once on this site."""

    sessions_per_minute: Count = 120
    """New sessions a minute on this site."""

    warning_s: Annotated[int, Field(ge=0, le=300)] = 30
    """The visitor is told so many seconds before the longest duration; 0 tells nobody, and
    neither does a duration that is not longer than this."""


class BudgetSettings(Block):
    """What one site may spend in a day (of ``hours.timezone``). Nothing is limited until set."""

    calls_per_day: Count | None = None
    """Calls in a day."""

    minutes_per_day: Count | None = None
    """Minutes of calls in a day; a call reserves its longest duration and gives back the rest."""

    money_per_day: Annotated[float, Field(gt=0)] | None = None
    """Money in a day, at ``price_per_minute``."""

    price_per_minute: Annotated[float, Field(ge=0)] = 0.0
    """What a minute of a call costs the owner."""

    instead: Sentence | None = None
    """What the button says when the budget is spent, such as a phone number to call."""

    @model_validator(mode="after")
    def _money_has_a_price(self) -> Self:
        if self.money_per_day is not None and not self.price_per_minute:
            raise ValueError("money_per_day says nothing without price_per_minute")
        return self


class ChallengeSettings(Block):
    """What a visitor's browser must solve first."""

    when: Literal["pressure", "always", "never"] = "pressure"
    """``pressure`` asks only who presses unusually hard or looks like a program. While
    ``edge.public_url`` is on this machine only, the default is ``never``."""

    kind: Literal["proof_of_work", "turnstile", "hcaptcha", "recaptcha"] = "proof_of_work"
    """``proof_of_work`` is self-hosted, without a puzzle and without a third party."""

    site_key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,200}$")] | None = None
    """Public key that the third party gave."""

    recaptcha_version: Literal[2, 3] = 3
    """Version of the reCAPTCHA key; 2 is the invisible one."""

    score_min: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5
    """Least score of reCAPTCHA 3 that passes; 1 is surely a person."""

    verify_url: Annotated[str, StringConstraints(pattern=r"^https?://[^?#]+$")] | None = None
    """Where a third party's answers are verified, if not at its usual address."""

    cost_min: Annotated[int, Field(ge=1_000, le=10_000_000)] = 20_000
    """Hashes that the easiest proof of work takes, in the mean."""

    cost_max: Annotated[int, Field(ge=1_000, le=100_000_000)] = 1_000_000
    """Hashes that the hardest takes."""

    @model_validator(mode="after")
    def _provider_has_key(self) -> Self:
        if self.kind != "proof_of_work" and self.when != "never" and self.site_key is None:
            raise ValueError(f"kind {self.kind} needs the site_key that it gave you")
        return self

    @model_validator(mode="after")
    def _costs_ordered(self) -> Self:
        if self.cost_min > self.cost_max:
            raise ValueError("cost_min is above cost_max")
        return self


class HoursSettings(Block):
    """When the bot takes calls. Always, until set."""

    timezone: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9_+/-]{1,64}$"),
        AfterValidator(_checked_zone),
    ] = "UTC"
    """Name in the IANA time zone database, such as ``Europe/Berlin``."""

    monday: DayTimes = ("00:00-24:00",)
    """Times such as ``["09:00-12:30", "14:00-18:00"]``; ``[]`` is closed."""

    tuesday: DayTimes = ("00:00-24:00",)
    """As for Monday."""

    wednesday: DayTimes = ("00:00-24:00",)
    """As for Monday."""

    thursday: DayTimes = ("00:00-24:00",)
    """As for Monday."""

    friday: DayTimes = ("00:00-24:00",)
    """As for Monday."""

    saturday: DayTimes = ("00:00-24:00",)
    """As for Monday."""

    sunday: DayTimes = ("00:00-24:00",)
    """As for Monday."""

    closed_dates: Annotated[tuple[Day, ...], Field(max_length=400)] = ()
    """Days on which nobody answers, such as ``["2026-12-25"]``."""


class ConsentSettings(Block):
    """What the visitor must agree to before the call."""

    text: Sentence | None = None
    """The owner's words; the button asks for consent only where they are set."""
