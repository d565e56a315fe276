"""A call's part of its site's budget: reserved, kept, settled.

    admitted   the longest call is reserved, for as long as the grant may wait
    started    the reservation is kept until the day ends
    ended      it is settled at what was used

A grant that nobody uses gives its reservation back by itself. Holder of all of it is the call id.
A ledger that cannot be asked lets nobody in, and what could not be given back counts as spent.
"""

import logging
import math
from functools import partial

from talkbutton.edge.context import EdgeContext
from talkbutton.errors import ConnectionLost
from talkbutton.rules.admission import Claim, Full, Grant, Refused, refuse
from talkbutton.rules.admission.budget import (
    BudgetKey,
    budget_claims,
    budget_used,
    read_budget_key,
)
from talkbutton.rules.admission.hours import next_midnight_unix

__all__ = ["budget_refusal", "keep_budget", "settle_budget"]

_log = logging.getLogger("talkbutton.edge")


async def keep_budget(context: EdgeContext, grant: Grant) -> Refused | None:
    """Keep what was reserved until the day ends, for the call starts now."""
    call_id, now_unix = grant.call_id, context.wall_clock()
    renew = partial(context.ledger.renew, call_id, now_unix=now_unix)
    # All of a call's claims are for the day that it was admitted on, also past midnight.
    site = context.settings.sites[grant.site]
    claims = budget_claims(grant.site, site, now_unix=grant.not_before_unix)
    try:
        lost = [
            claim for claim in claims if not await renew(claim.key, until_unix=claim.until_unix)
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


async def budget_refusal(context: EdgeContext, call_id: str, full: Full) -> Refused:
    """Return the refusal of a call for which a budget has no room, and tell the operator.

    Raises:
        ConnectionLost: If the ledger cannot be asked.
    """
    now_unix = context.wall_clock()
    spent = read_budget_key(full.claim.key)
    site = context.settings.sites[spent.site]
    until_unix = next_midnight_unix(site.hours, now_unix=now_unix)
    told = Claim(f"told.{full.claim.key}", 1, until_unix, "budget_spent")
    if await context.ledger.take("edge", [told], now_unix=now_unix) is None:
        _tell_operator(context, call_id, spent, full.claim.limit)
    return refuse(
        "budget_spent",
        call_id=call_id,
        detail=site.budget.instead,
        retry_after_s=max(1, math.ceil(full.room_at_unix - now_unix)),
    )


def _tell_operator(context: EdgeContext, call_id: str, spent: BudgetKey, limit: float) -> None:
    """Log and record it: once for each site and day, however many edges and visitors there are."""
    _log.warning(
        "site %s has no %s left of its budget for %s (%g): visitors are turned away until "
        "calls give some back or the day ends; see sites.%s.budget",
        spent.site,
        spent.kind,
        spent.day,
        limit,
        spent.site,
    )
    context.journal.append(
        call_id,
        "budget.spent",
        "edge",
        site=spent.site,
        budget=spent.kind,
        day=spent.day,
        limit=limit,
    )


async def _take(context: EdgeContext, grant: Grant, claims: list[Claim]) -> Refused | None:
    if not claims:
        return None
    full = await context.ledger.take(grant.call_id, claims, now_unix=context.wall_clock())
    return None if full is None else await budget_refusal(context, grant.call_id, full)
