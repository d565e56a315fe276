"""Decides whether a visitor may start a call, in the order in which the visitor can help it.

First who asks (origin, site), then what the owner says (maintenance, opening hours, consent), then
the parts that the call needs, in the order in which it would reach them: the gateway, the phone
line, the bot.
"""

import math
from dataclasses import dataclass

from talkbutton.rules.admission.addresses import address_keys, address_prefix
from talkbutton.rules.admission.budget import budget_reservation
from talkbutton.rules.admission.claims import Claim
from talkbutton.rules.admission.grant import Grant
from talkbutton.rules.admission.hours import Closed, describe_opening, opening
from talkbutton.rules.admission.origin import is_origin_allowed
from talkbutton.rules.admission.refusal import Refused, refuse
from talkbutton.rules.admission.session_claims import Asked, session_claims
from talkbutton.settings.model import Settings, SiteSettings

__all__ = [
    "HEARTBEAT_MAX_AGE_S",
    "Admitted",
    "BridgeHeartbeat",
    "KeeperHeartbeat",
    "Liveness",
    "SessionRequest",
    "admit",
    "first_missing_part",
    "owners_refusal",
]

HEARTBEAT_MAX_AGE_S = 4.0
"""Heartbeats come once a second; who is silent for longer than this is gone."""


@dataclass(frozen=True, slots=True)
class KeeperHeartbeat:
    """The keeper's latest ``keeper.identity``.

    Attributes:
        heard_s: When it was heard, monotonic seconds.
        is_ready: Whether its SIP identity can place calls.
        master_id: The Janus handle that a call's own handle attaches to.
        username: The identity's SIP address.
    """

    heard_s: float
    is_ready: bool
    master_id: int
    username: str


@dataclass(frozen=True, slots=True)
class BridgeHeartbeat:
    """The bridge's latest ``bridge.status``.

    Attributes:
        heard_s: When it was heard, monotonic seconds.
        is_ready: Whether it takes calls.
        is_line_ready: Whether it is connected to Asterisk.
        is_bot_ready: Whether its bot can talk.
    """

    heard_s: float
    is_ready: bool
    is_line_ready: bool
    is_bot_ready: bool


@dataclass(frozen=True, slots=True)
class Liveness:
    """Who is alive.

    Attributes:
        is_gateway_connected: Whether this edge's own connection to Janus works.
        keeper: None until the keeper was heard.
        bridge: None until the bridge was heard.
    """

    is_gateway_connected: bool
    keeper: KeeperHeartbeat | None = None
    bridge: BridgeHeartbeat | None = None


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """A visitor who asks for a call.

    Attributes:
        call_id: The id that the call will have.
        site: The site whose button was pressed.
        origin: The page's origin; None if the browser sent none.
        address: The visitor's IP address.
        has_consent: Whether the visitor agreed to what the owner asks consent for.
    """

    call_id: str
    site: str
    origin: str | None
    address: str
    has_consent: bool = False


@dataclass(frozen=True, slots=True)
class Admitted:
    """Yes, if there is room, and with what.

    Attributes:
        grant: The permission to sign and hand out.
        site: The site's settings.
        claims: What the ledger must have room for.
    """

    grant: Grant
    site: SiteSettings
    claims: tuple[Claim, ...]


def admit(
    request: SessionRequest, state: Liveness, settings: Settings, *, now: float, now_unix: float
) -> Admitted | Refused:
    """Return whether the visitor may start a call now, as soon as the ledger has room for it.

    Args:
        request: Who asks for what.
        state: Who is alive.
        settings: The deployment's settings.
        now: Monotonic seconds, on the clock of ``state``.
        now_unix: Wall-clock time in Unix seconds.

    Raises:
        ValueError: If the request's address is not an IP address.
    """
    site = settings.sites.get(request.site)
    if site is None:
        return refuse("site_unknown", call_id=request.call_id)
    if request.origin is None or not is_origin_allowed(request.origin, site.allowed_origins):
        return refuse("origin_refused", call_id=request.call_id)
    refused = owners_refusal(site, now_unix=now_unix, call_id=request.call_id)
    if refused is not None:
        return refused
    asks_consent = site.consent.text is not None
    if asks_consent and not request.has_consent:
        return refuse("consent_missing", call_id=request.call_id)
    missing = first_missing_part(state, now=now, call_id=request.call_id)
    if missing is not None:
        return missing
    grant = Grant(
        call_id=request.call_id,
        site=request.site,
        origin=request.origin,
        address_prefix=address_prefix(
            request.address,
            v4_bits=settings.edge.grant_prefix_v4_bits,
            v6_bits=settings.edge.grant_prefix_v6_bits,
        ),
        not_before_unix=int(now_unix),
        expires_unix=int(now_unix) + settings.edge.grant_ttl_s,
        bucket=address_keys(request.address).bucket,
        grant_id=request.call_id,
        # Where nothing is asked, a yes says nothing.
        has_consent=asks_consent and request.has_consent,
    )
    asked = Asked(request.site, site, grant.bucket, now_unix)
    until_unix = grant.expires_unix
    claims = [
        *session_claims(asked, settings.limits, grant_until_unix=until_unix),
        *budget_reservation(
            request.site, site, now_unix=grant.not_before_unix, until_unix=until_unix
        ),
    ]
    return Admitted(grant, site, tuple(claims))


def owners_refusal(
    site: SiteSettings, *, now_unix: float, call_id: str | None = None
) -> Refused | None:
    """Return the refusal of a site that takes no calls now because its owner says so."""
    if site.maintenance is not None:
        return refuse("maintenance", call_id=call_id, detail=site.maintenance)
    now_open = opening(site.hours, now_unix=now_unix)
    if not isinstance(now_open, Closed):
        return None
    if now_open.opens_unix is None:
        return refuse("outside_hours", call_id=call_id)
    return refuse(
        "outside_hours",
        call_id=call_id,
        detail=describe_opening(site.hours, now_open.opens_unix, now_unix=now_unix),
        retry_after_s=max(1, math.ceil(now_open.opens_unix - now_unix)),
    )


def first_missing_part(
    state: Liveness, *, now: float, call_id: str | None = None
) -> Refused | None:
    """Return the refusal that names the first part a call would miss; None if all are there."""
    keeper, bridge = state.keeper, state.bridge
    if not state.is_gateway_connected or keeper is None or not keeper.is_ready:
        return refuse("gateway_unavailable", call_id=call_id)
    if now - keeper.heard_s > HEARTBEAT_MAX_AGE_S:
        return refuse("gateway_unavailable", call_id=call_id)
    if bridge is None or now - bridge.heard_s > HEARTBEAT_MAX_AGE_S:
        return refuse("bot_unavailable", call_id=call_id)
    if not bridge.is_line_ready:
        return refuse("line_unavailable", call_id=call_id)
    if not (bridge.is_ready and bridge.is_bot_ready):
        return refuse("bot_unavailable", call_id=call_id)
    return None
