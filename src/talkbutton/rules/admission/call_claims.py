"""What starting a call, refreshing it and ending it from outside mean on the ledger.

spent:<grant>      one use of a grant
call:<call>        a lease of the living call itself: who has it may refresh
refreshes:<call>   how often it was refreshed
revoked:<call>     the operator ended it: it can neither start nor go on
"""

from dataclasses import replace

from talkbutton.rules.admission.claims import Claim
from talkbutton.rules.admission.grant import CONTINUE, Grant
from talkbutton.settings.model import SiteSettings, TurnSettings

__all__ = [
    "REVOKED_FOR_S",
    "call_lease",
    "continued",
    "refresh_claims",
    "revocation",
    "revoked_key",
    "spend_claims",
]

REVOKED_FOR_S = 86_400.0
"""Longer than any call lasts."""

_SPENT_GRACE_S = 60.0  # an edge whose clock is behind must not find a used grant forgotten
_REFRESHES_SPARE = 10  # beside one for each lifetime of the credentials: ICE restarts


def call_lease(call_id: str, *, until_unix: float) -> Claim:
    """Return the claim of the living call itself; two edges cannot both have it."""
    return Claim(f"call:{call_id}", 1, until_unix, "grant_used")


def spend_claims(grant: Grant, *, lease_until_unix: float) -> list[Claim]:
    """Return what the one use of a grant claims."""
    spent_until_unix = grant.expires_unix + _SPENT_GRACE_S
    return [
        _not_revoked(grant.call_id),
        Claim(f"spent:{grant.grant_id}", 1, spent_until_unix, "grant_used"),
        call_lease(grant.call_id, until_unix=lease_until_unix),
    ]


def refresh_claims(grant: Grant, site: SiteSettings, turn: TurnSettings) -> list[Claim]:
    """Return what one refresh claims, in the name of the grant that it makes."""
    limit = site.call_duration_max_s // turn.credentials_ttl_s + _REFRESHES_SPARE
    key = f"refreshes:{grant.call_id}"
    return [
        _not_revoked(grant.call_id),
        Claim(key, limit, grant.expires_unix, "refresh_limit"),
    ]


def revocation(call_id: str, *, now_unix: float) -> Claim:
    """Return the claim by which the operator ends a call."""
    return Claim(revoked_key(call_id), 1, now_unix + REVOKED_FOR_S, "grant_revoked")


def revoked_key(call_id: str) -> str:
    """Return the key that is held while a call is revoked."""
    return f"revoked:{call_id}"


def continued(grant: Grant, site: SiteSettings, *, grant_id: str) -> Grant:
    """Return the grant to go on with a call, bound as the one before, and never good for longer.

    Args:
        grant: The grant that the call was started or last refreshed with.
        site: The call's site.
        grant_id: Id of the new grant.
    """
    is_first = grant.purpose != CONTINUE
    expires_unix = grant.expires_unix + (site.call_duration_max_s if is_first else 0)
    return replace(grant, purpose=CONTINUE, grant_id=grant_id, expires_unix=expires_unix)


def _not_revoked(call_id: str) -> Claim:
    return Claim(revoked_key(call_id), 0, 0.0, "grant_revoked", weight=0.0)
