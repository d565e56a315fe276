"""What the edge lets a call do, signed, so that the bridge believes nobody in between.

It travels as the SIP header ``X-Talkbutton-Ticket`` and as the first argument of Stasis. A JSON
Web Token (RFC 7519, HS256); its times are checked against the ``now_unix`` that the caller gives.
"""

from dataclasses import dataclass

import jwt

from talkbutton.errors import ProtocolError
from talkbutton.ids import is_call_id

__all__ = ["TICKET_HEADER", "TICKET_TTL_S", "Ticket", "sign_ticket", "verify_ticket"]

TICKET_HEADER = "X-Talkbutton-Ticket"
TICKET_TTL_S = 60
"""From signing to Stasis; a call that takes longer has failed anyway."""

_AUDIENCE = "talkbutton-bridge"
_ALGORITHM = "HS256"


@dataclass(frozen=True, slots=True)
class Ticket:
    """One call's facts and limits.

    Attributes:
        call_id: The call's id.
        site: The site whose button was pressed.
        duration_max_s: The bridge ends the call after so many seconds.
        expires_unix: Not valid from this moment on, Unix seconds; signed ``TICKET_TTL_S`` before.
        warning_s: The visitor is told so many seconds before that end; 0 tells nobody.
        has_consent: Whether the visitor agreed to what the site's owner asks consent for.
    """

    call_id: str
    site: str
    duration_max_s: int
    expires_unix: float
    warning_s: int = 0
    has_consent: bool = False


def sign_ticket(ticket: Ticket, *, key: str) -> str:
    """Return the ticket as text that is safe in a SIP header and a dialplan argument."""
    claims = {
        "aud": _AUDIENCE,
        "call": ticket.call_id,
        "site": ticket.site,
        "dur": ticket.duration_max_s,
        "exp": ticket.expires_unix,
        "warn": ticket.warning_s,
        "consent": ticket.has_consent,
    }
    return jwt.encode(claims, key, algorithm=_ALGORITHM)


def verify_ticket(text: str, *, key: str, now_unix: float) -> Ticket:
    """Return the ticket that ``text`` holds.

    Raises:
        ProtocolError: If it is malformed, forged, of another purpose, or late.
    """
    try:
        claims = jwt.decode(
            text, key, algorithms=[_ALGORITHM], audience=_AUDIENCE, options={"verify_exp": False}
        )
    except jwt.InvalidTokenError as exc:
        raise ProtocolError(f"the call's ticket is not valid: {exc}") from None
    match claims:
        case {
            "call": str(call_id),
            "site": str(site),
            "dur": int(dur),
            "exp": int() | float() as exp,
            "warn": int(warning_s),
            "consent": bool(has_consent),
        } if is_call_id(call_id) and dur > 0 and warning_s >= 0:
            if now_unix >= exp:
                raise ProtocolError("the call's ticket has expired")
            return Ticket(call_id, site, dur, exp, warning_s, has_consent)
        case _:
            raise ProtocolError("the call's ticket lacks a claim")
