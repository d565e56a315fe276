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
    "grant_purpose",
    "grant_revoked",
    "call_over",
    "refresh_limit",
    "consent_missing",
    "maintenance",
    "outside_hours",
    "challenge_needed",
    "challenge_failed",
    "address_calls",
    "address_calls_per_hour",
    "address_sessions",
    "site_calls",
    "site_sessions",
    "all_calls",
    "all_sessions",
    "budget_spent",
    "limits_unavailable",
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
    "grant_purpose": "This permission is not for this. Please press the button again.",
    "grant_revoked": "This call was ended by the operator.",
    "call_over": "This call is over.",
    "refresh_limit": "This call has asked for too much. Please press the button again.",
    "consent_missing": "The call needs your consent first.",
    "maintenance": "Voice calls are being worked on. Please try again later.",
    "outside_hours": "Nobody answers at this time of day. Please try again later.",
    "challenge_needed": "Your browser has to prove something first. Please press the button again.",
    "challenge_failed": "Your browser's proof was not good. Please press the button again.",
    "address_calls": "There is a call from your connection already. Please end it first.",
    "address_calls_per_hour": "That was the last call for now. Please try again later.",
    "address_sessions": "That was a bit fast. Please wait a moment, then try again.",
    "site_calls": "All lines are busy. Please try again in a minute.",
    "site_sessions": "Too many people are calling right now. Please try again in a minute.",
    "all_calls": "All lines are busy. Please try again in a minute.",
    "all_sessions": "Too many people are calling right now. Please try again in a minute.",
    "budget_spent": "The voice assistant is done for today. Please try again tomorrow.",
    "limits_unavailable": "Voice calls are not available right now. Please try again soon.",
}


@dataclass(frozen=True, slots=True)
class Refused:
    """No, and why.

    Attributes:
        code: The reason, for programs.
        detail: The reason, a plain sentence for the visitor.
        call_id: The call that was asked for; None where nobody can tell.
        retry_after_s: Seconds after which trying again may help; None where it will not, or nobody
            can tell.
    """

    code: RefusalCode
    detail: str
    call_id: str | None = None
    retry_after_s: int | None = None


def refuse(
    code: RefusalCode,
    *,
    call_id: str | None = None,
    detail: str | None = None,
    retry_after_s: int | None = None,
) -> Refused:
    """Return the refusal for ``code`` with its sentence, or with the owner's own."""
    return Refused(code, detail or _DETAILS[code], call_id, retry_after_s)
