"""Gives grants out and takes them back, and records both."""

import logging

from talkbutton.edge.context import EdgeContext
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


def request_grant(
    context: EdgeContext, *, call_id: str, site: str, origin: str | None, address: str
) -> Admitted | Refused:
    """Return whether a visitor may start the call that will have this id."""
    now_unix = context.wall_clock()
    verdict = admit(
        SessionRequest(call_id, site, origin, address),
        context.presence.liveness,
        context.settings,
        now=context.presence.now,
        now_unix=now_unix,
    )
    measures = {"site": site, "origin": origin, "pii.address": address}
    if isinstance(verdict, Refused):
        context.journal.append(call_id, "session.refused", "edge", code=verdict.code, **measures)
    else:
        context.journal.append(call_id, "session.admitted", "edge", **measures)
    return verdict


def spend_grant(
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
