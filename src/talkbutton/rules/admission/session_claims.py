"""What one session claims on the ledger, from who asks where.

    leases   calls at once: per address and IPv6 /48; renewed while the call lives
    lines    calls at once: per site and in all; there must be one free, and the start takes it
    kept     calls an hour: provisional like a lease until the call carries sound, then for its hour
    rates    new sessions a minute: held for the minute, whatever becomes of them

Leases and kept claims end soon after the grant does, so that a grant that nobody uses is not
counted for long. It never holds a line: else some twenty addresses that ask and do not call would
lock everybody out. An address is counted over all sites; how much it may is the asked site's word.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from talkbutton.rules.admission.addresses import wider_bucket
from talkbutton.rules.admission.claims import Claim
from talkbutton.settings.model import LimitsSettings, SiteSettings

__all__ = [
    "Asked",
    "kept_claims",
    "lease_claims",
    "line_claims",
    "rate_claims",
    "session_claims",
]

_HOUR_S = 3_600.0
_MINUTE_S = 60.0
_GRACE_S = 5.0  # a grant that is used in its last moment must find its leases alive


@dataclass(frozen=True, slots=True)
class Asked:
    """Which call is asked for, as far as limits go.

    Attributes:
        site_name: The site.
        site: Its settings.
        bucket: What stands for the visitor: an IPv4 address, or an IPv6 /64.
        at_unix: When it was asked for, Unix seconds.
    """

    site_name: str
    site: SiteSettings
    bucket: str
    at_unix: float


def session_claims(asked: Asked, limits: LimitsSettings, *, grant_until_unix: float) -> list[Claim]:
    """Return all that one new session claims, first what its own visitor can help.

    Args:
        asked: The call that is asked for.
        limits: The limits over all sites.
        grant_until_unix: When the grant ends that the session gives.
    """
    until_unix = grant_until_unix + _GRACE_S
    claims = [
        *_address_leases(asked, until_unix),
        *(_free(line) for line in line_claims(asked, limits, until_unix=until_unix)),
        *_provisional(kept_claims(asked), until_unix),
        *rate_claims(asked, limits),
    ]
    return sorted(claims, key=_reach)


def lease_claims(asked: Asked, limits: LimitsSettings, *, until_unix: float) -> list[Claim]:
    """Return the started call's places among the calls that go on at once."""
    lines = line_claims(asked, limits, until_unix=until_unix)
    return [*_address_leases(asked, until_unix), *lines]


def line_claims(asked: Asked, limits: LimitsSettings, *, until_unix: float) -> list[Claim]:
    """Return what only a call that starts may take: one of the site's lines, and one of all."""
    site = asked.site.limits
    return [
        Claim(f"calls:site:{asked.site_name}", site.calls_max, until_unix, "site_calls"),
        Claim("calls:all", limits.calls_max, until_unix, "all_calls"),
    ]


def _free(line: Claim) -> Claim:
    """Return the claim that one more would fit, which takes nothing."""
    return replace(line, limit=line.limit - 1, weight=0.0)


def _address_leases(asked: Asked, until_unix: float) -> list[Claim]:
    site = asked.site.limits
    by_address = {asked.bucket: site.calls_per_address}
    wider = wider_bucket(asked.bucket)
    if wider is not None:
        by_address[wider] = site.calls_per_v6_site
    return [
        Claim(f"calls:address:{bucket}", limit, until_unix, "address_calls")
        for bucket, limit in by_address.items()
    ]


def kept_claims(asked: Asked) -> list[Claim]:
    """Return what a call that carried sound goes on to hold after its end."""
    site, until_unix = asked.site.limits, asked.at_unix + _HOUR_S
    limits = {asked.bucket: site.calls_per_address_and_hour}
    wider = wider_bucket(asked.bucket)
    if wider is not None:
        limits[wider] = site.calls_per_v6_site_and_hour
    return [
        Claim(f"hour:address:{bucket}", limit, until_unix, "address_calls_per_hour")
        for bucket, limit in limits.items()
    ]


def rate_claims(asked: Asked, limits: LimitsSettings) -> list[Claim]:
    """Return the session's places in this minute."""
    site, until_unix = asked.site.limits, asked.at_unix + _MINUTE_S
    return [
        Claim(
            f"sessions:address:{asked.bucket}",
            site.sessions_per_address_and_minute,
            until_unix,
            "address_sessions",
        ),
        Claim(
            f"sessions:site:{asked.site_name}",
            site.sessions_per_minute,
            until_unix,
            "site_sessions",
        ),
        Claim("sessions:all", limits.sessions_per_minute, until_unix, "all_sessions"),
    ]


def _provisional(claims: Iterable[Claim], until_unix: float) -> list[Claim]:
    return [replace(claim, until_unix=min(claim.until_unix, until_unix)) for claim in claims]


def _reach(claim: Claim) -> int:
    """Order by whom a claim is about: the visitor, the site, everybody; stable within each."""
    match claim.key.split(":"):
        case [_, "address", *_]:
            return 0
        case [_, "all"]:
            return 2
        case _:
            return 1
