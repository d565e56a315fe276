"""What can happen to a signaling session, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from talkbutton.protocols.signaling.causes import EndCause

__all__ = [
    "CallAnswered",
    "CallConnected",
    "CallHungUp",
    "CallLost",
    "CallNotPlaced",
    "CallPlaced",
    "CallRinging",
    "CallSilent",
    "CaptionHeard",
    "EndingHeard",
    "GrantAccepted",
    "GrantDenied",
    "Input",
    "OperatorHungUp",
    "ReaderTooSlow",
    "SocketClosed",
    "VisitorSent",
]


@dataclass(frozen=True, slots=True)
class VisitorSent:
    """A message arrived on the socket: text, or bytes, which are never right."""

    message: str | bytes


@dataclass(frozen=True, slots=True)
class GrantAccepted:
    """The grant was good and is spent now.

    Attributes:
        call_id: The call's id.
        duration_max_s: The bridge ends the call after so many seconds from its answer.
        warning_s: The visitor is told so many seconds before that; 0 tells nobody.
    """

    call_id: str
    duration_max_s: float
    warning_s: float = 0.0


@dataclass(frozen=True, slots=True)
class GrantDenied:
    """The grant was refused.

    Attributes:
        code: Such as ``grant_used``.
        detail: A plain sentence for the visitor.
    """

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class CallPlaced:
    """The gateway took the call; candidates may be trickled from now on.

    Attributes:
        measures: What is worth recording about it.
    """

    measures: Mapping[str, int | float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallNotPlaced:
    """The gateway could not place the call."""

    cause: EndCause
    reason: str


@dataclass(frozen=True, slots=True)
class CallRinging:
    """The far end rings."""


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """The far end answered; ``sdp`` is for the browser."""

    sdp: str


@dataclass(frozen=True, slots=True)
class CallConnected:
    """ICE and DTLS between the browser and the gateway are up."""


@dataclass(frozen=True, slots=True)
class CallSilent:
    """The gateway hears nothing from the browser any more; ``silent_s`` None if unknown."""

    silent_s: int | None = None


@dataclass(frozen=True, slots=True)
class CallHungUp:
    """The far end hung up or refused, by SIP.

    Attributes:
        sip_code: Final SIP status; None or 2xx for a plain BYE.
        reason: SIP's words.
        is_line_ready: Whether the phone system is known to work.
    """

    sip_code: int | None
    reason: str
    is_line_ready: bool = True


@dataclass(frozen=True, slots=True)
class CallLost:
    """The gateway lost the call; ``loss`` is its name for why, such as ``media.lost``."""

    loss: str


@dataclass(frozen=True, slots=True)
class CaptionHeard:
    """The bridge published a caption of this call."""

    caption: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EndingHeard:
    """The bridge is about to hang up, and says why."""

    cause: object


@dataclass(frozen=True, slots=True)
class OperatorHungUp:
    """The operator has ended the call from outside."""


@dataclass(frozen=True, slots=True)
class SocketClosed:
    """The visitor's socket is gone, or the edge is closing it.

    Attributes:
        close_code: WebSocket close code; 1012 when this program stops.
    """

    close_code: int


@dataclass(frozen=True, slots=True)
class ReaderTooSlow:
    """The visitor does not read what the edge sends."""


Input = (
    VisitorSent
    | GrantAccepted
    | GrantDenied
    | CallPlaced
    | CallNotPlaced
    | CallRinging
    | CallAnswered
    | CallConnected
    | CallSilent
    | CallHungUp
    | CallLost
    | CaptionHeard
    | EndingHeard
    | OperatorHungUp
    | SocketClosed
    | ReaderTooSlow
)
