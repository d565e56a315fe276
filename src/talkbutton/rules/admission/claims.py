"""Holds that expire: the one thing that limits, leases, budgets and single use are made of.

A *hold* is a weight that a holder (a call) has under a key until a moment. A *claim* asks for one
more hold and says how much may be held under that key in all:

    1 call at once per address    key calls:address:192.0.2.7, limit 1, renewed while the call lives
    3 calls an hour               key hour:address:192.0.2.7, limit 3, until an hour from now
    one use of a grant            key spent:<call id>, limit 1, until the grant expires
    600 minutes a day             key minutes:default:2026-11-24, limit 600, weight 10

Claims are granted all or none; whoever keeps the holds does so in one atomic step.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from talkbutton.rules.admission.refusal import RefusalCode

__all__ = ["Claim", "Full", "Hold", "decide"]


@dataclass(frozen=True, slots=True)
class Claim:
    """One more hold, if there is room.

    Attributes:
        key: What is limited.
        limit: Sum of weights that may be held under the key at once.
        until_unix: The hold ends at this Unix second unless it is renewed.
        code: Why the visitor is refused if there is no room.
        weight: How much is held.
    """

    key: str
    limit: float
    until_unix: float
    code: RefusalCode
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Hold:
    """What a holder has under one key.

    Attributes:
        holder: Whose it is, such as a call id.
        weight: How much.
        until_unix: It counts before this Unix second.
    """

    holder: str
    weight: float
    until_unix: float


@dataclass(frozen=True, slots=True)
class Full:
    """No room for a claim; nothing was taken.

    Attributes:
        claim: The first claim without room.
        room_at_unix: When there may be room at the earliest.
    """

    claim: Claim
    room_at_unix: float


def decide(
    claims: Sequence[Claim], held: Mapping[str, Iterable[Hold]], *, now_unix: float
) -> Full | None:
    """Return None if there is room for every claim, else the first that has none.

    A holder's own earlier hold under the key counts like anybody else's.
    """
    for claim in claims:
        living = sorted(
            (hold for hold in held.get(claim.key, ()) if hold.until_unix > now_unix),
            key=lambda hold: hold.until_unix,
        )
        excess = sum(hold.weight for hold in living) + claim.weight - claim.limit
        if excess <= 0:
            continue
        for hold in living:
            excess -= hold.weight
            if excess <= 0:
                return Full(claim, hold.until_unix)
        return Full(claim, claim.until_unix)
    return None
