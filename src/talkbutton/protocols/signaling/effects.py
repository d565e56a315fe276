"""What a signaling session asks its owner to do, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from talkbutton.events import Leg, Scalar
from talkbutton.protocols.signaling.causes import EndCause
from talkbutton.protocols.signaling.messages import Candidate

__all__ = [
    "Close",
    "Effect",
    "HangUpGateway",
    "PlaceCall",
    "Record",
    "Send",
    "SpendGrant",
    "Trickle",
]


@dataclass(frozen=True, slots=True)
class Send:
    """Send this message to the visitor, as JSON."""

    message: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SpendGrant:
    """Verify and spend the grant; answer with ``GrantAccepted`` or ``GrantDenied``."""

    token: str | None


@dataclass(frozen=True, slots=True)
class PlaceCall:
    """Place the one call; answer with ``CallPlaced`` or ``CallNotPlaced``, then its events."""

    offer_sdp: str


@dataclass(frozen=True, slots=True)
class Trickle:
    """Give the gateway one more candidate of the browser."""

    candidate: Candidate


@dataclass(frozen=True, slots=True)
class HangUpGateway:
    """End the call at the gateway, also one that is still being placed, and tell the bridge."""

    cause: EndCause


@dataclass(frozen=True, slots=True)
class Record:
    """Append an event to the call's record."""

    name: str
    leg: Leg = "edge"
    measures: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Close:
    """Send what is queued, then close the socket. Always the last effect."""

    code: int
    reason: str = ""


Effect = Send | SpendGrant | PlaceCall | Trickle | HangUpGateway | Record | Close
