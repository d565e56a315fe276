"""Gives grants out and takes them back, and records both."""

import logging

from talkbutton.edge.budget import keep_budget, reserve_budget
from talkbutton.edge.context import EdgeContext
from talkbutton.ids import CALL_ID_RANDOM_BYTES, make_call_id
from talkbutton.rules.admission import (
    Admitted,
    Grant,
    Refused,
    SessionRequest,
    admit,
    refuse,
    verify_grant,
)

__all__ = ["request_grant", "spend_grant"]

_log = logging.getLogger("talkbutton.edge")


async def request_grant(
    context: EdgeContext, *, site: str, origin: str | None, address: str, has_consent: bool = False
) -> Admitted | Refused:
    """Return whether a visitor may start a call, under a fresh call id."""
    now_unix = context.wall_clock()
    call_id = make_call_id(
        now_unix_ms=int(now_unix * 1000),
        random_bytes=context.random_bytes(CALL_ID_RANDOM_BYTES),
    )
    verdict = admit(
        SessionRequest(call_id, site, origin, address, has_consent),
        context.presence.liveness,
        context.settings,
        now=context.presence.now,
        now_unix=now_unix,
    )
    if isinstance(verdict, Admitted):
        verdict = await reserve_budget(context, verdict.grant) or verdict
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
    now_unix = context.wall_clock()
    verdict = verify_grant(
        token,
        key=context.secrets.grant_key.get_secret_value(),
        origin=origin,
        address=address,
        now_unix=now_unix,
    )
    if isinstance(verdict, Grant) and not context.spent.spend(verdict, now_unix=now_unix):
        verdict = refuse("grant_used", call_id=verdict.call_id)
    if isinstance(verdict, Grant):
        verdict = await keep_budget(context, verdict) or verdict
    if isinstance(verdict, Refused):
        _record_refusal(context, verdict, address)
    else:
        context.journal.append(verdict.call_id, "grant.spent", "edge", **{"pii.address": address})
    return verdict


def _record_refusal(context: EdgeContext, refused: Refused, address: str) -> None:
    if refused.call_id is None:
        _log.info("a signaling socket was refused: %s", refused.code)
        return
    measures = {"code": refused.code, "pii.address": address}
    context.journal.append(refused.call_id, "grant.refused", "edge", **measures)
