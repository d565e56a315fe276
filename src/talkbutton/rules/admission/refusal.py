"""A visitor who may not start a call, and why in words the visitor understands."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["RefusalCode", "Refused", "refuse"]

RefusalCode = Literal[
    "origin_refused",
    "site_unknown",
    "gateway_unavailable",
    "line_unavailable",
    "bot_unavailable",
    "grant_missing",
    "grant_malformed",
    "grant_expired",
    "grant_used",
    "grant_origin",
    "grant_address",
]
"""Stable and safe to match on; listed in ``docs/reference/session-api.md``."""

_DETAILS: dict[RefusalCode, str] = {
    "origin_refused": "This website is not set up for voice calls here.",
    "site_unknown": "This voice button is set up for a site that does not exist here.",
    "gateway_unavailable": "Voice calls are not available right now. Please try again soon.",
    "line_unavailable": "The phone line is not available right now. Please try again soon.",
    "bot_unavailable": "The voice assistant is not available right now. Please try again soon.",
    "grant_missing": "This call has no permission to start. Please press the button again.",
    "grant_malformed": "This call's permission is not valid. Please press the button again.",
    "grant_expired": "Starting the call took too long. Please press the button again.",
    "grant_used": "This call was started already. Please press the button again.",
    "grant_origin": "This call was asked for on another website. Please press the button again.",
    "grant_address": "Your network changed before the call began. Please press the button again.",
}


@dataclass(frozen=True, slots=True)
class Refused:
    """No, and why.

    Attributes:
        code: The reason, for programs.
        detail: The reason, a plain sentence for the visitor.
        call_id: The call that was asked for; None where nobody can tell.
    """

    code: RefusalCode
    detail: str
    call_id: str | None = None


def refuse(code: RefusalCode, *, call_id: str | None = None) -> Refused:
    """Return the refusal for ``code`` with its sentence."""
    return Refused(code, _DETAILS[code], call_id)
