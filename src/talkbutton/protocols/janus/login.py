"""What Janus asks for on every request: the API secret, and a token that is signed and expires.

The secret alone would be a password that never changes. The token says until when it is good and
which plugin it may attach; Janus checks it on each request, keepalives too, so each request gets
one of its own and none ever expires in use.

Source: Janus documentation, "Authenticating the Janus API", signed tokens; ``auth.c`` of Janus
1.4, which compares the HMAC-SHA1 of ``<expiry>,janus,<plugin>`` and the expiry with its clock.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field

__all__ = ["TOKEN_TTL_S", "JanusLogin", "mint_token"]

TOKEN_TTL_S = 60
"""How long a request's token is good: longer than clocks of two machines may differ."""

_REALM = "janus"
_PLUGIN = "janus.plugin.sip"


@dataclass(frozen=True, slots=True)
class JanusLogin:
    """The two secrets of one who may use Janus.

    Attributes:
        api_secret: Janus's ``api_secret``.
        token_secret: Janus's ``token_auth_secret``.
    """

    api_secret: str = field(repr=False)
    token_secret: str = field(repr=False)

    def fields(self, *, now_unix: int) -> dict[str, str]:
        """Return the fields that a request sent at ``now_unix`` carries."""
        token = mint_token(self.token_secret, now_unix=now_unix)
        return {"apisecret": self.api_secret, "token": token}


def mint_token(
    secret: str, *, now_unix: int, ttl_s: int = TOKEN_TTL_S, plugin: str = _PLUGIN
) -> str:
    """Return a token for ``plugin`` that Janus takes until ``now_unix + ttl_s``.

    Args:
        secret: Janus's ``token_auth_secret``.
        now_unix: Wall-clock time in Unix seconds.
        ttl_s: Lifetime in seconds, at least 1.
        plugin: The one plugin that it may attach.

    Raises:
        ValueError: If ``secret`` is empty or ``ttl_s`` is below 1.
    """
    if not secret:
        raise ValueError("the Janus token secret is empty")
    if ttl_s < 1:
        raise ValueError(f"a Janus token lives 1 s or longer, got {ttl_s}")
    claims = f"{now_unix + ttl_s},{_REALM},{plugin}"
    digest = hmac.new(secret.encode(), claims.encode(), hashlib.sha1).digest()
    return f"{claims}:{base64.b64encode(digest).decode('ascii')}"
