"""Turnstile, hCaptcha and reCAPTCHA: what is asked of them, and what their answer means.

All three speak the same small protocol: a form with ``secret`` and ``response`` is posted, a JSON
object with ``success``, ``hostname`` and ``error-codes`` comes back.

Source: developers.cloudflare.com/turnstile (server-side validation), docs.hcaptcha.com (verify the
user response server side), developers.google.com/recaptcha/docs/verify and /v3.
"""

import json
import re
from typing import Literal

from talkbutton.settings.model import ChallengeSettings

__all__ = [
    "ACTION",
    "ANSWER_MAX_BYTES",
    "TOKEN_MAX_CHARACTERS",
    "VERIFY_URLS",
    "ProviderReason",
    "judge_answer",
    "verification_form",
]

ACTION = "talkbutton"
"""What the button says the token is for, where the provider tells us again."""

ANSWER_MAX_BYTES = 16_384
TOKEN_MAX_CHARACTERS = 6_000

VERIFY_URLS = {
    "turnstile": "https://challenges.cloudflare.com/turnstile/v0/siteverify",
    "hcaptcha": "https://api.hcaptcha.com/siteverify",
    "recaptcha": "https://www.google.com/recaptcha/api/siteverify",
}

ProviderReason = Literal[
    "provider_unreachable",
    "provider_unreadable",
    "provider_refused",
    "provider_used",
    "provider_hostname",
    "provider_action",
    "provider_score",
    "provider_misconfigured",
]

_USED_CODES = {
    "timeout-or-duplicate",
    "invalid-or-already-seen-response",
    "already-seen-response",
    "expired-input-response",
}
_OWNERS_CODES = {
    "missing-input-secret",
    "invalid-input-secret",
    "not-using-dummy-passcode",
    "sitekey-secret-mismatch",
    "invalid-keys",
}
_CODE = re.compile(r"[a-z-]{1,60}")


def verification_form(settings: ChallengeSettings, *, secret: str, token: str) -> dict[str, str]:
    """Return the form to post. The visitor's address is none of the provider's business."""
    form = {"secret": secret, "response": token}
    if settings.kind == "hcaptcha" and settings.site_key is not None:
        form["sitekey"] = settings.site_key
    return form


def judge_answer(
    answer: bytes, settings: ChallengeSettings, *, hostname: str
) -> tuple[ProviderReason | None, str]:
    """Return why the visitor did not pass, None if they did, and the provider's codes for a log.

    Args:
        answer: The body that came back.
        settings: The site's.
        hostname: Of the page that asks for a session. A token from another page is refused.
    """
    told = _decode(answer)
    if told is None:
        return "provider_unreadable", ""
    if told["success"] is not True:
        return _refusal(told.get("error-codes"))
    if told.get("hostname") != hostname:
        return "provider_hostname", ""
    is_scored = settings.kind == "recaptcha" and settings.recaptcha_version == 3
    if (is_scored or settings.kind == "turnstile") and told.get("action") != ACTION:
        return "provider_action", ""
    if is_scored and not _is_score_good(told.get("score"), settings.score_min):
        return "provider_score", ""
    return None, ""


def _decode(answer: bytes) -> dict[str, object] | None:
    if len(answer) > ANSWER_MAX_BYTES:
        return None
    try:
        told = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) and "success" in told else None


def _refusal(codes: object) -> tuple[ProviderReason, str]:
    listed = codes[:3] if isinstance(codes, list) else []
    known = {code for code in listed if isinstance(code, str) and _CODE.fullmatch(code)}
    text = " ".join(sorted(known))
    if known & _OWNERS_CODES:
        return "provider_misconfigured", text
    return ("provider_used" if known & _USED_CODES else "provider_refused"), text


def _is_score_good(score: object, score_min: float) -> bool:
    if not isinstance(score, int | float) or isinstance(score, bool):
        return False
    return score_min <= score <= 1.0
