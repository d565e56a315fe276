"""The permission to start one call: short-lived, signed, bound to who asked for it.

A JSON Web Token (RFC 7519, HS256). Its times are checked against the ``now_unix`` that the caller
gives; its single use is kept by ``SpentGrants``.
"""

from dataclasses import dataclass
from typing import Any

import jwt

from talkbutton.ids import is_call_id
from talkbutton.rules.admission.origin import address_prefix
from talkbutton.rules.admission.refusal import Refused, refuse

__all__ = ["PURPOSE", "Grant", "sign_grant", "verify_grant"]

PURPOSE = "start_voice_call"
"""What a grant is good for. A token for anything else is refused."""

_AUDIENCE = "talkbutton-edge"
_ALGORITHM = "HS256"
_TOKEN_MAX_CHARACTERS = 2_048
_CLOCK_SKEW_S = 5  # between the edge that gave the grant and the one that takes it


@dataclass(frozen=True, slots=True)
class Grant:
    """One call that may be started.

    Attributes:
        call_id: The call's id.
        site: The site whose button was pressed.
        origin: Origin of the page that asked.
        address_prefix: Network that the visitor asked from, such as ``192.0.2.0/24``.
        not_before_unix: Valid from this Unix second on.
        expires_unix: Not valid from this Unix second on.
        has_consent: Whether the visitor agreed to what the owner asks consent for.
    """

    call_id: str
    site: str
    origin: str
    address_prefix: str
    not_before_unix: int
    expires_unix: int
    has_consent: bool = False


def sign_grant(grant: Grant, *, key: str) -> str:
    """Return the grant as a token."""
    claims = {
        "aud": _AUDIENCE,
        "purpose": PURPOSE,
        "call": grant.call_id,
        "site": grant.site,
        "origin": grant.origin,
        "net": grant.address_prefix,
        "nbf": grant.not_before_unix,
        "exp": grant.expires_unix,
        "consent": grant.has_consent,
    }
    return jwt.encode(claims, key, algorithm=_ALGORITHM)


def verify_grant(
    token: str | None, *, key: str, origin: str | None, address: str, now_unix: float
) -> Grant | Refused:
    """Return the grant that ``token`` holds, if who brings it now may use it.

    Args:
        token: What the visitor sent; None if nothing.
        key: The key that grants are signed with.
        origin: The ``Origin`` header of the signaling socket; None without one.
        address: The visitor's IP address.
        now_unix: Wall-clock time in Unix seconds.

    Raises:
        ValueError: If ``address`` is not an IP address.
    """
    if not token:
        return refuse("grant_missing")
    grant = _decode(token, key)
    if grant is None:
        return refuse("grant_malformed")
    if not grant.not_before_unix - _CLOCK_SKEW_S <= now_unix < grant.expires_unix:
        return refuse("grant_expired", call_id=grant.call_id)
    if origin != grant.origin:
        return refuse("grant_origin", call_id=grant.call_id)
    if address_prefix(address) != grant.address_prefix:
        return refuse("grant_address", call_id=grant.call_id)
    return grant


def _decode(token: str, key: str) -> Grant | None:
    if len(token) > _TOKEN_MAX_CHARACTERS or not token.isascii():
        return None
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            audience=_AUDIENCE,
            options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except jwt.InvalidTokenError:
        return None
    match claims:
        case {
            "purpose": str(purpose),
            "call": str(call_id),
            "site": str(site),
            "origin": str(origin),
            "net": str(net),
            "nbf": int(not_before_unix),
            "exp": int(expires_unix),
            "consent": bool(has_consent),
        } if purpose == PURPOSE and is_call_id(call_id):
            return Grant(call_id, site, origin, net, not_before_unix, expires_unix, has_consent)
        case _:
            return None
