"""Asks Turnstile, hCaptcha or reCAPTCHA whether a visitor's token is good; in doubt it is not."""

import asyncio
import logging
import ssl
from functools import cache

import httpx

from talkbutton.rules.admission.challenge_provider import (
    ANSWER_MAX_BYTES,
    VERIFY_URLS,
    ProviderReason,
    judge_answer,
    verification_form,
)
from talkbutton.settings.model import ChallengeSettings

__all__ = ["DEADLINE_S", "verify_token"]

_log = logging.getLogger("talkbutton.edge")

DEADLINE_S = 5.0
"""For the whole exchange with the provider."""


async def verify_token(
    settings: ChallengeSettings,
    token: str,
    *,
    secret: str | None,
    hostname: str,
    slots: asyncio.Semaphore,
) -> ProviderReason | None:
    """Return why the token is not good, or None if it is.

    Args:
        settings: The site's.
        token: What the provider's script gave the visitor's browser.
        secret: What the provider gave the owner.
        hostname: Of the page that asks for a session.
        slots: How many may ask a provider at once.
    """
    if secret is None:
        _log.error(
            "nobody passes: challenge_provider_secret is not set; see docs/howto/challenge.md"
        )
        return "provider_misconfigured"
    url = settings.verify_url or VERIFY_URLS[settings.kind]
    form = verification_form(settings, secret=secret, token=token)
    try:
        async with asyncio.timeout(DEADLINE_S), slots:
            answer = await _post(url, form)
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as exc:
        # The type alone: an error's text may hold what was sent.
        _log.error("nobody passes: %s did not answer (%s)", settings.kind, type(exc).__name__)
        return "provider_unreachable"
    reason, codes = judge_answer(answer, settings, hostname=hostname)
    if reason in {"provider_misconfigured", "provider_unreadable"}:
        _log.error("nobody passes: %s answered %s", settings.kind, codes or "nonsense")
    elif reason is not None:
        _log.info("a token did not pass at %s: %s %s", settings.kind, reason, codes)
    return reason


async def _post(url: str, form: dict[str, str]) -> bytes:
    """Return the body of the answer, cut off just above what would be read."""
    async with (
        httpx.AsyncClient(verify=_trust(), timeout=DEADLINE_S, trust_env=False) as client,
        client.stream("POST", url, data=form, headers={"Accept": "application/json"}) as answer,
    ):
        body = b""
        async for piece in answer.aiter_bytes():
            body += piece
            if len(body) > ANSWER_MAX_BYTES:
                break
        return body


@cache
def _trust() -> ssl.SSLContext:
    """Return the system's trusted certificates, which take some time to read."""
    return ssl.create_default_context()
