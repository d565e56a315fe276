"""One attack, and what can come of it. Pure."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, get_args

__all__ = [
    "AREAS",
    "Area",
    "Broken",
    "Finding",
    "Held",
    "NotTried",
    "Outcome",
    "Probe",
    "judge",
]

Area = Literal["turn", "sessions", "janus", "asterisk", "parts", "files", "versions", "settings"]
"""What is attacked."""

AREAS: tuple[Area, ...] = get_args(Area)
"""All areas, in the order of the report."""


@dataclass(frozen=True, slots=True)
class Held:
    """The attack was refused; for a control: what must work does.

    Attributes:
        evidence: What happened.
    """

    evidence: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The attack succeeded; for a control: what must work does not.

    Attributes:
        evidence: What happened. Never a secret.
    """

    evidence: str


@dataclass(frozen=True, slots=True)
class NotTried:
    """Nobody can tell: what would be attacked is not there, or is busy.

    Attributes:
        why: The reason.
    """

    why: str


Outcome = Held | Broken | NotTried


@dataclass(frozen=True, slots=True)
class Probe:
    """One attack.

    Attributes:
        name: ``<area>.<what>``, stable and safe to match on.
        area: What is attacked.
        tries: What is tried, for people.
        expects: What happens where all is well.
        mend: What to do where it does not.
        run: Does it.
    """

    name: str
    area: Area
    tries: str
    expects: str
    mend: str
    run: Callable[[], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one probe."""

    probe: Probe
    outcome: Outcome


def judge(held: str, broken: list[str], *, tried: int) -> Outcome:
    """Return what a row of attempts comes to: held only if there were some and none got through.

    Args:
        held: Evidence where all were refused.
        broken: What got through.
        tried: How many attempts there were.
    """
    if broken:
        shown = "; ".join(broken[:_SHOWN_MAX])
        more = f"; and {len(broken) - _SHOWN_MAX} more" if len(broken) > _SHOWN_MAX else ""
        return Broken(f"{shown}{more}")
    return Held(held) if tried else NotTried("there was nothing to try")


_SHOWN_MAX = 8
