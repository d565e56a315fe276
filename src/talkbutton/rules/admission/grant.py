"""The permission to start one call, and then to go on with it: signed, bound to who asked for it.

A JSON Web Token (RFC 7519, HS256) whose ``kid`` names its key, so that keys are changed with
overlap: the new one signs, and the one before is good until its last grant has ended. Times are
checked against the ``now_unix`` that the caller gives; single use is kept by the ledger.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jwt

from talkbutton.ids import is_call_id
from talkbutton.rules.admission.refusal import Refused, refuse

__all__ = ["CONTINUE", "START", "Bearer", "Grant", "Purpose", "sign_grant", "verify_grant"]

Purpose = Literal["start_voice_call", "continue_voice_call"]

START: Purpose = "start_voice_call"
"""Good for the signaling socket, once; and, while its call lives, to refresh it."""

CONTINUE: Purpose = "continue_voice_call"
"""Good to refresh a living call, and for nothing else."""

_AUDIENCE = "talkbutton-edge"
_ALGORITHM = "HS256"
_TOKEN_MAX_CHARACTERS = 2_048
_CLOCK_SKEW_S = 5  # between the edge that gave the grant and the one that takes it
_KEY_ID_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class Grant:
    """One call that may be started, or gone on with.

    Attributes:
        call_id: The call's id.
        site: The site whose button was pressed.
        origin: Origin of the page that asked.
        address_prefix: Network that the visitor asked from, such as ``192.0.2.0/24``.
        not_before_unix: Valid from this Unix second on.
        expires_unix: Not valid from this Unix second on.
        bucket: What the visitor's calls are counted under: an IPv4 address, or an IPv6 /64.
        grant_id: The grant's own id.
        purpose: What it is good for.
        has_consent: Whether the visitor agreed to what the owner asks consent for.
    """

    call_id: str
    site: str
    origin: str
    address_prefix: str
    not_before_unix: int
    expires_unix: int
    bucket: str
    grant_id: str
    purpose: Purpose = START
    has_consent: bool = False


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who brings a token.

    Attributes:
        origin: The ``Origin`` header; None without one.
        address_prefix: Network that it comes from.
    """

    origin: str | None
    address_prefix: str


def sign_grant(grant: Grant, *, key: str) -> str:
    """Return the grant as a token."""
    claims = {
        "aud": _AUDIENCE,
        "purpose": grant.purpose,
        "jti": grant.grant_id,
        "call": grant.call_id,
        "site": grant.site,
        "origin": grant.origin,
        "net": grant.address_prefix,
        "bucket": grant.bucket,
        "nbf": grant.not_before_unix,
        "exp": grant.expires_unix,
        "consent": grant.has_consent,
    }
    return jwt.encode(claims, key, algorithm=_ALGORITHM, headers={"kid": _key_id(key)})


def verify_grant(
    token: str | None,
    bearer: Bearer,
    *,
    keys: Sequence[str],
    now_unix: float,
    purposes: Collection[Purpose] = (START,),
    late_s: float = 0.0,
) -> Grant | Refused:
    """Return the grant that ``token`` holds, if who brings it now may use it.

    Args:
        token: What the visitor sent; None if nothing.
        bearer: Who brings it.
        keys: The keys that grants may be signed with.
        now_unix: Wall-clock time in Unix seconds.
        purposes: What it may be good for.
        late_s: Seconds for which a start grant is good after its end, for a call that it started.
    """
    if not token:
        return refuse("grant_missing")
    grant = _read(_decode(token, keys))
    if isinstance(grant, Refused):
        return grant
    if grant.purpose not in purposes:
        return refuse("grant_purpose", call_id=grant.call_id)
    until_unix = grant.expires_unix + (late_s if grant.purpose == START else 0.0)
    if not grant.not_before_unix - _CLOCK_SKEW_S <= now_unix < until_unix:
        return refuse("grant_expired", call_id=grant.call_id)
    if bearer.origin != grant.origin:
        return refuse("grant_origin", call_id=grant.call_id)
    if bearer.address_prefix != grant.address_prefix:
        return refuse("grant_address", call_id=grant.call_id)
    return grant


def _key_id(key: str) -> str:
    # A digest of 256 random bits gives none of them away.
    return hashlib.sha256(b"talkbutton grant key " + key.encode()).hexdigest()[:_KEY_ID_CHARACTERS]


def _decode(token: str, keys: Sequence[str]) -> dict[str, Any] | None:
    if len(token) > _TOKEN_MAX_CHARACTERS or not token.isascii():
        return None
    try:
        key_id = jwt.get_unverified_header(token).get("kid")
        key = next((key for key in keys if _key_id(key) == key_id), None)
        if key is None:
            return None
        return jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            audience=_AUDIENCE,
            options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except jwt.InvalidTokenError:
        return None


def _read(claims: dict[str, Any] | None) -> Grant | Refused:
    match claims:
        case {"purpose": str(purpose)} if purpose not in (START, CONTINUE):
            return refuse("grant_purpose")
        case {
            "purpose": "start_voice_call" | "continue_voice_call" as purpose,
            "jti": str(grant_id),
            "call": str(call_id),
            "site": str(site),
            "origin": str(origin),
            "net": str(net),
            "bucket": str(bucket),
            "nbf": int(not_before_unix),
            "exp": int(expires_unix),
            "consent": bool(has_consent),
        } if is_call_id(call_id) and is_call_id(grant_id):
            return Grant(
                call_id=call_id,
                site=site,
                origin=origin,
                address_prefix=net,
                not_before_unix=not_before_unix,
                expires_unix=expires_unix,
                bucket=bucket,
                grant_id=grant_id,
                purpose=purpose,
                has_consent=has_consent,
            )
        case _:
            return refuse("grant_malformed")
