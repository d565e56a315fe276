"""Ephemeral TURN credentials that coturn checks without asking anybody.

Whoever knows the shared secret can mint them; nobody is registered anywhere.

Source: draft-uberti-behave-turn-rest-00; coturn's ``use-auth-secret``.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass

__all__ = ["TurnCredentials", "mint_credentials", "sign_username"]


@dataclass(frozen=True, slots=True)
class TurnCredentials:
    """What a browser puts into an ``RTCIceServer``.

    Attributes:
        username: ``<expiry in Unix seconds>:<user>``.
        credential: Base64 of the HMAC-SHA1 of the username.
        expires_unix: A new allocation is refused from this Unix second on.
    """

    username: str
    credential: str
    expires_unix: int


def mint_credentials(secret: str, user: str, *, ttl_s: int, now_unix: int) -> TurnCredentials:
    """Return credentials for ``user``, valid for ``ttl_s`` seconds from ``now_unix``.

    coturn tests the expiry when an allocation is first authenticated, so the lifetime has to cover
    page load, connecting and an ICE restart rather than the whole call.

    Args:
        secret: coturn's ``static-auth-secret``.
        user: The call id. coturn counts quotas by what follows the expiry.
        ttl_s: Lifetime in seconds, at least 1.
        now_unix: Wall-clock time in Unix seconds.

    Raises:
        ValueError: If ``secret`` is empty, ``user`` is empty or holds a colon, or ``ttl_s`` is
            below 1.
    """
    if not secret:
        raise ValueError("the TURN secret is empty")
    if not user or ":" in user:
        raise ValueError(f"a TURN user is not empty and has no colon, got {user!r}")
    if ttl_s < 1:
        raise ValueError(f"TURN credentials live 1 s or longer, got {ttl_s}")
    expires_unix = now_unix + ttl_s
    username = f"{expires_unix}:{user}"
    return TurnCredentials(username, sign_username(secret, username), expires_unix)


def sign_username(secret: str, username: str) -> str:
    """Return the password that goes with ``username``: base64 of its HMAC-SHA1."""
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode("ascii")
