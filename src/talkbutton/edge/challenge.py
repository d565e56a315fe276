"""Stands between a session request and its grant where a site wants to see work first."""

import hashlib
from dataclasses import asdict
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import JSONResponse

from talkbutton.edge.challenge_provider import verify_token
from talkbutton.edge.context import EdgeContext
from talkbutton.edge.problem import refused_response
from talkbutton.errors import ConnectionLost, SettingsError
from talkbutton.ids import CALL_ID_RANDOM_BYTES, call_id_unix, make_call_id
from talkbutton.rules.admission import (
    CHALLENGE_TTL_S,
    NUMBER_RANDOM_BYTES,
    SessionRequest,
    Solved,
    bot_signals,
    first_missing_part,
    is_origin_allowed,
    issue_challenge,
    owners_refusal,
    proof_cost,
    refuse,
    signal_weight,
    strain,
    verify_solution,
)
from talkbutton.rules.admission.claims import Claim
from talkbutton.rules.admission.pressure import (
    ASKED_WEIGHT,
    FAILED_WEIGHT,
    REFUSED_WEIGHT,
    START_MIN_S,
    SUSPECT_WEIGHT,
    is_too_fast,
)
from talkbutton.settings.model import ChallengeSettings, EdgeSecrets, Settings

__all__ = ["check_provider_secret", "note_refusal", "note_start", "pass_challenge"]

_TOKEN_TTL_S = 600  # providers forget a token after 120 to 300 s
_VERIFICATIONS_PER_MINUTE = 10
"""From one address: each one costs a request of ours to the provider."""

_UNREACHABLE_DETAIL = (
    "We cannot check your browser's proof at the moment. Please try again in a minute."
)
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def check_provider_secret(settings: Settings, secrets: EdgeSecrets) -> None:
    """Make sure that sites which use a provider have its secret.

    Raises:
        SettingsError: If it is missing.
    """
    for name, site in settings.sites.items():
        asks_provider = site.challenge.kind != "proof_of_work" and site.challenge.when != "never"
        if asks_provider and secrets.challenge_provider_secret is None:
            raise SettingsError(
                f"sites.{name}.challenge.kind",
                f"is {site.challenge.kind}, whose secret is not known",
                hint="put challenge_provider_secret into talkbutton.secrets.toml",
            )


async def pass_challenge(
    context: EdgeContext,
    request: Request,
    *,
    site: str,
    origin: str | None,
    address: str,
    solution: str | None,
) -> str | JSONResponse:
    """Return the id that the call will have, or the answer that asks for work or refuses it.

    Who would be refused whatever they prove goes on to hear so, without working for it first. What
    is asked here must refuse them there too, or this is a way around the challenge.
    """
    call_id = _fresh_call_id(context)
    wanted = context.settings.sites.get(site)
    if wanted is None or wanted.challenge.when == "never":
        return call_id
    asked = SessionRequest(call_id, site, origin, address)
    if not is_origin_allowed(origin, wanted.allowed_origins):
        return call_id
    if owners_refusal(wanted, now_unix=context.wall_clock()) is not None:
        return call_id
    if first_missing_part(context.presence.liveness, now=context.presence.now) is not None:
        return call_id
    if solution is None:
        return _ask_for_work(context, request, asked, wanted.challenge)
    if wanted.challenge.kind == "proof_of_work":
        return await _check_proof(context, asked, solution)
    return await _check_token(context, asked, wanted.challenge, solution)


def note_refusal(context: EdgeContext, address: str) -> None:
    """Count a refused visitor as pressure."""
    context.crowd.note(address, REFUSED_WEIGHT, now=context.presence.now)


def note_start(context: EdgeContext, call_id: str, address: str) -> None:
    """Count a call that was started faster than any browser can as pressure."""
    if context.wall_clock() - call_id_unix(call_id) < START_MIN_S:
        context.crowd.note(address, SUSPECT_WEIGHT, now=context.presence.now)


def _fresh_call_id(context: EdgeContext) -> str:
    return make_call_id(
        now_unix_ms=int(context.wall_clock() * 1000),
        random_bytes=context.random_bytes(CALL_ID_RANDOM_BYTES),
    )


def _ask_for_work(
    context: EdgeContext, request: Request, asked: SessionRequest, settings: ChallengeSettings
) -> str | JSONResponse:
    now = context.presence.now
    signals = bot_signals(request.headers, is_secure=_is_secure(context.settings.edge.public_url))
    strain_now = strain(
        context.crowd.levels(asked.address, now=now),
        signal_weight(signals),
        sessions_per_minute=context.settings.limits.sessions_per_minute,
    )
    context.crowd.note(asked.address, ASKED_WEIGHT, now=now)
    if settings.when == "pressure" and strain_now < 1.0:
        return asked.call_id
    cost, challenge = _make_challenge(context, asked, settings, strain_now)
    context.journal.append(
        asked.call_id,
        "challenge.asked",
        "edge",
        site=asked.site,
        kind=settings.kind,
        cost=cost,
        strain=round(strain_now, 2),
        signals=" ".join(signals),
        **{"pii.address": asked.address},
    )
    return refused_response(refuse("challenge_needed"), challenge=challenge)


def _make_challenge(
    context: EdgeContext, asked: SessionRequest, settings: ChallengeSettings, strain_now: float
) -> tuple[int | None, dict[str, str | int]]:
    """Return how many hashes the challenge takes, if it takes hashes, and the challenge."""
    if settings.kind != "proof_of_work":
        assert settings.site_key is not None, "settings refuse a provider without a site key"
        challenge: dict[str, str | int] = {"kind": settings.kind, "site_key": settings.site_key}
        if settings.kind == "recaptcha":
            challenge["version"] = settings.recaptcha_version
        return None, challenge
    cost = proof_cost(strain_now, cost_min=settings.cost_min, cost_max=settings.cost_max)
    proof = issue_challenge(
        asked.call_id,
        key=context.secrets.challenge_key.get_secret_value(),
        site=asked.site,
        network=context.network_of(asked.address),
        cost=cost,
        random_bytes=context.random_bytes(NUMBER_RANDOM_BYTES),
        now_unix=context.wall_clock(),
    )
    return cost, asdict(proof)


async def _check_proof(
    context: EdgeContext, asked: SessionRequest, solution: str
) -> str | JSONResponse:
    now_unix = context.wall_clock()
    verdict = verify_solution(
        solution,
        key=context.secrets.challenge_key.get_secret_value(),
        site=asked.site,
        network=context.network_of(asked.address),
        now_unix=now_unix,
    )
    if not isinstance(verdict, Solved):
        call_id = verdict.challenge_id or asked.call_id
        return _fail(context, asked, call_id, "proof_of_work", verdict.reason)
    call_id = verdict.challenge_id
    until_unix = verdict.expires_unix + CHALLENGE_TTL_S  # other edges' clocks may be behind
    single_use = Claim(f"challenge:{call_id}", 1, until_unix, "challenge_failed")
    refused = await _claim(context, asked, call_id, single_use)
    if refused is not None:
        return refused
    took_s = now_unix - call_id_unix(call_id)
    if is_too_fast(hashes=verdict.number, within_s=took_s):
        context.crowd.note(asked.address, SUSPECT_WEIGHT, now=context.presence.now)
    _record_solved(
        context, asked, call_id, kind="proof_of_work", cost=verdict.cost, took_ms=took_s * 1000
    )
    return call_id


async def _check_token(
    context: EdgeContext, asked: SessionRequest, settings: ChallengeSettings, token: str
) -> str | JSONResponse:
    now_unix = context.wall_clock()
    digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
    refused = await _claim(
        context,
        asked,
        asked.call_id,
        Claim(f"challenge:{digest}", 1, now_unix + _TOKEN_TTL_S, "challenge_failed"),
        Claim(
            f"verify:{asked.address}", _VERIFICATIONS_PER_MINUTE, now_unix + 60, "address_sessions"
        ),
        kind=settings.kind,
    )
    if refused is not None:
        return refused
    secret = context.secrets.challenge_provider_secret
    reason = await verify_token(
        settings,
        token,
        secret=None if secret is None else secret.get_secret_value(),
        hostname=urlsplit(asked.origin or "").hostname or "",
        slots=context.provider_slots,
    )
    if reason is not None:
        return _fail(context, asked, asked.call_id, settings.kind, reason)
    _record_solved(context, asked, asked.call_id, kind=settings.kind)
    return asked.call_id


async def _claim(
    context: EdgeContext,
    asked: SessionRequest,
    holder: str,
    *claims: Claim,
    kind: str = "proof_of_work",
) -> JSONResponse | None:
    """Use up what may be used once; return the refusal if it was."""
    now_unix = context.wall_clock()
    try:
        full = await context.ledger.take(holder, claims, now_unix=now_unix)
    except ConnectionLost:
        return refused_response(refuse("limits_unavailable", call_id=holder))
    if full is None:
        return None
    if full.claim.code == "challenge_failed":
        return _fail(context, asked, holder, kind, "used")
    retry_after_s = max(1, round(full.room_at_unix - now_unix))
    return refused_response(refuse(full.claim.code, retry_after_s=retry_after_s))


def _fail(
    context: EdgeContext, asked: SessionRequest, call_id: str, kind: str, reason: str
) -> JSONResponse:
    is_our_fault = reason in {"provider_unreachable", "provider_unreadable"}
    if not is_our_fault:
        context.crowd.note(asked.address, FAILED_WEIGHT, now=context.presence.now)
    context.journal.append(
        call_id,
        "challenge.failed",
        "edge",
        site=asked.site,
        kind=kind,
        reason=reason,
        **{"pii.address": asked.address},
    )
    detail = _UNREACHABLE_DETAIL if is_our_fault else None
    return refused_response(refuse("challenge_failed", call_id=call_id, detail=detail))


def _record_solved(
    context: EdgeContext,
    asked: SessionRequest,
    call_id: str,
    *,
    kind: str,
    cost: int | None = None,
    took_ms: float | None = None,
) -> None:
    context.journal.append(
        call_id,
        "challenge.solved",
        "edge",
        site=asked.site,
        kind=kind,
        cost=cost,
        took_ms=None if took_ms is None else round(took_ms),
    )


def _is_secure(public_url: str) -> bool:
    """Return whether browsers trust the way to the edge enough to send fetch metadata."""
    url = urlsplit(public_url)
    return url.scheme == "https" or url.hostname in _LOCAL_HOSTS
