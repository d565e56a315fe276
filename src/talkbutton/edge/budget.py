"""A call's part of its site's budget: reserved, kept, settled.

    admitted   the longest call is reserved, for as long as the grant may wait
    started    the reservation is kept until the day ends
    ended      it is settled at what was used

A grant that nobody uses gives its reservation back by itself. Holder of all of it is the call id.
A ledger that cannot be asked lets nobody in, and what could not be given back counts as spent.
"""

import logging
import math
from dataclasses import replace
from functools import partial

from talkbutton.edge.context import EdgeContext
from talkbutton.errors import ConnectionLost
from talkbutton.rules.admission import (
    Claim,
    Full,
    Grant,
    Refused,
    budget_claims,
    budget_used,
    refuse,
)

__all__ = ["keep_budget", "reserve_budget", "settle_budget"]

_log = logging.getLogger("talkbutton.edge")


async def reserve_budget(context: EdgeContext, grant: Grant) -> Refused | None:
    """Reserve the longest call that the grant allows, or return why there is no budget for it."""
    claims = [replace(claim, until_unix=grant.expires_unix) for claim in _claims(context, grant)]
    try:
        return await _take(context, grant, claims)
    except ConnectionLost:
        return refuse("limits_unavailable", call_id=grant.call_id)


async def keep_budget(context: EdgeContext, grant: Grant) -> Refused | None:
    """Keep what was reserved until the day ends, for the call starts now."""
    call_id, now_unix = grant.call_id, context.wall_clock()
    renew = partial(context.ledger.renew, call_id, now_unix=now_unix)
    try:
        lost = [
            claim
            for claim in _claims(context, grant)
            if not await renew(claim.key, until_unix=claim.until_unix)
        ]
        # Only a ledger that forgot has lost any; then there must be room anew.
        return await _take(context, grant, lost)
    except ConnectionLost:
        return refuse("limits_unavailable", call_id=call_id)


async def settle_budget(context: EdgeContext, grant: Grant, *, used_s: float) -> None:
    """Give back what the call did not use; all of it if it never carried sound (``used_s`` 0)."""
    used = budget_used(
        grant.site,
        context.settings.sites[grant.site],
        claimed_unix=grant.not_before_unix,
        used_s=used_s,
    )
    try:
        for key, weight in used.items():
            if weight:
                await context.ledger.settle(
                    grant.call_id, key, weight=weight, now_unix=context.wall_clock()
                )
            else:
                await context.ledger.release(grant.call_id, key)
    except ConnectionLost as exc:
        _log.warning("call %s keeps all that it reserved of the budget: %s", grant.call_id, exc)


def _claims(context: EdgeContext, grant: Grant) -> list[Claim]:
    # All of a call's claims are for the day that it was admitted on, also past midnight.
    site = context.settings.sites[grant.site]
    return budget_claims(grant.site, site, now_unix=grant.not_before_unix)


async def _take(context: EdgeContext, grant: Grant, claims: list[Claim]) -> Refused | None:
    if not claims:
        return None
    now_unix = context.wall_clock()
    full = await context.ledger.take(grant.call_id, claims, now_unix=now_unix)
    if full is None:
        return None
    await _tell_operator(context, grant, full, now_unix=now_unix)
    return refuse(
        "budget_spent",
        call_id=grant.call_id,
        detail=context.settings.sites[grant.site].budget.instead,
        retry_after_s=max(1, math.ceil(full.room_at_unix - now_unix)),
    )


async def _tell_operator(
    context: EdgeContext, grant: Grant, full: Full, *, now_unix: float
) -> None:
    """Log and record it once for each site and day, however many edges and visitors there are."""
    [claim, *_] = _claims(context, grant)
    told = Claim(f"told.{full.claim.key}", 1, claim.until_unix, "budget_spent")
    if await context.ledger.take("edge", [told], now_unix=now_unix) is not None:
        return
    kind, _, day = full.claim.key.removeprefix("budget.").split(":")
    _log.warning(
        "site %s has no %s left of its budget for %s (%g): visitors are turned away until "
        "calls give some back or the day ends; see sites.%s.budget",
        grant.site,
        kind,
        day,
        full.claim.limit,
        grant.site,
    )
    context.journal.append(
        grant.call_id,
        "budget.spent",
        "edge",
        site=grant.site,
        budget=kind,
        day=day,
        limit=full.claim.limit,
    )
