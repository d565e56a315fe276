"""What Janus asks for on every request: a token that is signed, expires, and names one plugin.

Janus's ``api_secret`` is a password that never changes, and where both are set Janus takes either
for enough. So it is not set: tokens are the one way in, and they are signed with both secrets.
Janus checks them on each request, keepalives too; so each request gets one of its own, and none
ever expires in use.

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
    """The two secrets of one who may use Janus."""

    api_secret: str = field(repr=False)
    token_secret: str = field(repr=False)

    @property
    def key(self) -> str:
        """Janus's ``token_auth_secret``."""
        return f"{self.api_secret}:{self.token_secret}"

    def fields(self, *, now_unix: int, plugin: str = _PLUGIN) -> dict[str, str]:
        """Return the fields that a request sent at ``now_unix`` carries."""
        return {"token": mint_token(self.key, now_unix=now_unix, plugin=plugin)}


def mint_token(key: str, *, now_unix: int, ttl_s: int = TOKEN_TTL_S, plugin: str = _PLUGIN) -> str:
    """Return a token for ``plugin`` that Janus takes until ``now_unix + ttl_s``.

    Args:
        key: Janus's ``token_auth_secret``.
        now_unix: Wall-clock time in Unix seconds.
        ttl_s: Lifetime in seconds, at least 1.
        plugin: The one plugin that it may attach.

    Raises:
        ValueError: If ``key`` is empty or ``ttl_s`` is below 1.
    """
    if not key:
        raise ValueError("the key of Janus's tokens is empty")
    if ttl_s < 1:
        raise ValueError(f"a Janus token lives 1 s or longer, got {ttl_s}")
    claims = f"{now_unix + ttl_s},{_REALM},{plugin}"
    digest = hmac.new(key.encode(), claims.encode(), hashlib.sha1).digest()
    return f"{claims}:{base64.b64encode(digest).decode('ascii')}"
