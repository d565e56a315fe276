"""Gives grants out and takes them back, and records both.

Whether anybody may have one is ``rules.admission``'s word; here the ledger is asked. A ledger that
does not answer admits nobody.
"""

import logging
import math
from collections.abc import Sequence

from talkbutton.edge.budget import budget_refusal, keep_budget, settle_budget
from talkbutton.edge.context import EdgeContext
from talkbutton.errors import ConnectionLost
from talkbutton.ids import CALL_ID_RANDOM_BYTES, make_call_id
from talkbutton.rules.admission import (
    CONTINUE,
    START,
    Admitted,
    Asked,
    Bearer,
    Claim,
    Full,
    Grant,
    Refused,
    SessionRequest,
    admit,
    refuse,
    verify_grant,
)
from talkbutton.rules.admission.call_claims import (
    call_lease,
    continued,
    refresh_claims,
    spend_claims,
)
from talkbutton.rules.admission.session_claims import kept_claims, lease_claims, line_claims

__all__ = [
    "asked_for",
    "give_grant_back",
    "grant_keys",
    "lease_keys",
    "refresh_grant",
    "request_grant",
    "spend_grant",
]

_log = logging.getLogger("talkbutton.edge")


async def request_grant(
    context: EdgeContext,
    *,
    call_id: str,
    site: str,
    origin: str | None,
    address: str,
    has_consent: bool = False,
) -> Admitted | Refused:
    """Return whether a visitor may start the call that will have this id."""
    now_unix = context.wall_clock()
    verdict = admit(
        SessionRequest(call_id, site, origin, address, has_consent),
        context.presence.liveness,
        context.settings,
        now=context.presence.now,
        now_unix=now_unix,
    )
    if isinstance(verdict, Admitted):
        verdict = await _take(context, call_id, verdict.claims, call_id=call_id) or verdict
    measures = {"site": site, "origin": origin, "pii.address": address}
    if isinstance(verdict, Refused):
        context.journal.append(call_id, "session.refused", "edge", code=verdict.code, **measures)
    else:
        consent = verdict.grant.has_consent
        context.journal.append(call_id, "session.admitted", "edge", consent=consent, **measures)
    return verdict


async def spend_grant(
    context: EdgeContext, token: str | None, *, origin: str | None, address: str
) -> Grant | Refused:
    """Return the grant in ``token``, which is used up thereby, or why it is not good."""
    verdict = _verify(context, token, origin, address)
    if isinstance(verdict, Grant):
        verdict = await _spend(context, verdict)
    if isinstance(verdict, Grant):
        verdict = await keep_budget(context, verdict) or verdict
    return _recorded(context, verdict, "grant.spent", address)


async def refresh_grant(
    context: EdgeContext, token: str | None, *, origin: str | None, address: str
) -> Grant | Refused:
    """Return a new grant to go on with the living call that ``token`` belongs to."""
    verdict = _verify(context, token, origin, address, is_running=True)
    if isinstance(verdict, Grant):
        verdict = await _refresh(context, verdict)
    return _recorded(context, verdict, "grant.refreshed", address)


async def give_grant_back(
    context: EdgeContext, token: str | None, *, origin: str | None, address: str
) -> Grant | Refused:
    """Use up a grant that will not become a call, so that it counts no longer as one."""
    verdict = _verify(context, token, origin, address)
    if isinstance(verdict, Grant):
        verdict = await _spend(context, verdict)
    if isinstance(verdict, Grant):
        await _let_go(context, verdict)
    return _recorded(context, verdict, "grant.returned", address)


def grant_keys(context: EdgeContext) -> list[str]:
    """Return the keys that grants may be signed with; the first one signs."""
    secrets = context.secrets
    keys = (secrets.grant_key, secrets.grant_key_previous)
    return [key.get_secret_value() for key in keys if key is not None]


def asked_for(context: EdgeContext, grant: Grant) -> Asked:
    """Return what was asked for when the grant was given."""
    site = context.settings.sites[grant.site]
    return Asked(grant.site, site, grant.bucket, grant.not_before_unix)


def lease_keys(context: EdgeContext, grant: Grant) -> list[str]:
    """Return the keys that the grant's call holds while it lives."""
    asked = asked_for(context, grant)
    leases = [
        call_lease(grant.call_id, until_unix=0.0),
        *lease_claims(asked, context.settings.limits, until_unix=0.0),
    ]
    return [claim.key for claim in leases]


async def _let_go(context: EdgeContext, grant: Grant) -> None:
    """Stop counting a grant that will not become a call."""
    kept = [claim.key for claim in kept_claims(asked_for(context, grant))]
    try:
        await settle_budget(context, grant, used_s=0)
        await context.ledger.release(grant.call_id, *lease_keys(context, grant), *kept)
    except ConnectionLost as exc:
        _log.warning("a grant that is not used counts until it ends: %s", exc)


def _verify(
    context: EdgeContext,
    token: str | None,
    origin: str | None,
    address: str,
    *,
    is_running: bool = False,
) -> Grant | Refused:
    prefix = context.network_of(address)
    verdict = verify_grant(
        token,
        Bearer(origin, prefix),
        keys=grant_keys(context),
        now_unix=context.wall_clock(),
        purposes=(START, CONTINUE) if is_running else (START,),
        late_s=_longest_call_s(context) if is_running else 0,
    )
    if isinstance(verdict, Grant) and verdict.site not in context.settings.sites:
        return refuse("site_unknown", call_id=verdict.call_id)
    return verdict


async def _spend(context: EdgeContext, grant: Grant) -> Grant | Refused:
    now_unix = context.wall_clock()
    until_unix = now_unix + context.settings.limits.lease_s
    asked = asked_for(context, grant)
    lines = line_claims(asked, context.settings.limits, until_unix=until_unix)
    claims = [*spend_claims(grant, lease_until_unix=until_unix), *lines]
    refused = await _take(context, grant.call_id, claims, call_id=grant.call_id)
    if refused is not None:
        if refused.code in ("site_calls", "all_calls"):  # the last line went to somebody else
            await _let_go(context, grant)
        return refused
    try:
        # A ledger that lost the session's leases has lost too who spent what: in doubt, no.
        has_leases = await context.ledger.renew(
            grant.call_id, *lease_keys(context, grant), until_unix=until_unix, now_unix=now_unix
        )
    except ConnectionLost as exc:
        return _unavailable(exc, grant.call_id)
    return grant if has_leases else refuse("grant_expired", call_id=grant.call_id)


async def _refresh(context: EdgeContext, grant: Grant) -> Grant | Refused:
    site = context.settings.sites[grant.site]
    now_unix = context.wall_clock()
    new = continued(grant, site, grant_id=_new_id(context))
    if now_unix >= new.expires_unix:
        return refuse("grant_expired", call_id=grant.call_id)
    claims = refresh_claims(new, site, context.settings.turn)
    refused = await _take(context, new.grant_id, claims, call_id=grant.call_id)
    if refused is not None:
        return refused
    lease = call_lease(grant.call_id, until_unix=0.0).key
    try:
        is_alive = await context.ledger.weigh(lease, now_unix=now_unix) > 0
    except ConnectionLost as exc:
        return _unavailable(exc, grant.call_id)
    return new if is_alive else refuse("call_over", call_id=grant.call_id)


async def _take(
    context: EdgeContext, holder: str, claims: Sequence[Claim], *, call_id: str
) -> Refused | None:
    now_unix = context.wall_clock()
    try:
        full = await context.ledger.take(holder, claims, now_unix=now_unix)
        if full is not None and full.claim.code == "budget_spent":
            return await budget_refusal(context, call_id, full)
    except ConnectionLost as exc:
        return _unavailable(exc, call_id)
    return None if full is None else _no_room(full, call_id, now_unix)


def _no_room(full: Full, call_id: str, now_unix: float) -> Refused:
    code = full.claim.code
    if code in ("grant_used", "grant_revoked", "refresh_limit"):
        return refuse(code, call_id=call_id)
    wait_s = max(1, math.ceil(full.room_at_unix - now_unix))
    return refuse(code, call_id=call_id, retry_after_s=wait_s)


def _unavailable(exc: ConnectionLost, call_id: str) -> Refused:
    _log.error("nobody can be admitted: %s", exc)
    return refuse("limits_unavailable", call_id=call_id)


def _recorded(
    context: EdgeContext, verdict: Grant | Refused, event: str, address: str
) -> Grant | Refused:
    if isinstance(verdict, Grant):
        context.journal.append(verdict.call_id, event, "edge", **{"pii.address": address})
    elif verdict.call_id is None:
        _log.info("a grant was refused: %s", verdict.code)
    else:
        measures = {"code": verdict.code, "pii.address": address}
        context.journal.append(verdict.call_id, "grant.refused", "edge", **measures)
    return verdict


def _longest_call_s(context: EdgeContext) -> int:
    return max(site.call_duration_max_s for site in context.settings.sites.values())


def _new_id(context: EdgeContext) -> str:
    return make_call_id(
        now_unix_ms=int(context.wall_clock() * 1000),
        random_bytes=context.random_bytes(CALL_ID_RANDOM_BYTES),
    )
