"""What Janus says, as values.

Source: Janus documentation, "RESTful, WebSockets, RabbitMQ, MQTT, Nanomsg and UnixSockets API"
and "SIP plugin documentation"; ``janus.c``, ``ice.c`` and ``janus_sip.c`` of Janus 1.4.
"""

from dataclasses import dataclass

__all__ = [
    "Ack",
    "Failure",
    "HandleDetached",
    "Media",
    "Message",
    "OtherMessage",
    "PluginEvent",
    "SessionTimedOut",
    "SipAccepted",
    "SipCalling",
    "SipEvent",
    "SipFailed",
    "SipHungUp",
    "SipIncomingCall",
    "SipOther",
    "SipProceeding",
    "SipProgress",
    "SipRegistered",
    "SipRinging",
    "SlowLink",
    "Success",
    "WebRtcDown",
    "WebRtcUp",
]


@dataclass(frozen=True, slots=True)
class Ack:
    """The request was taken; what comes of it follows as an event, or nothing follows."""

    transaction: str


@dataclass(frozen=True, slots=True)
class Success:
    """The request was carried out; ``id`` is that of a new session or handle."""

    transaction: str
    id: int | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Janus's core refused the request: 403 wrong secret, 458 no such session, 459 no handle."""

    transaction: str | None
    janus_code: int
    reason: str


@dataclass(frozen=True, slots=True)
class SessionTimedOut:
    """Janus dropped the session, for want of keepalives."""

    session_id: int | None


@dataclass(frozen=True, slots=True)
class HandleDetached:
    """The handle is gone."""

    sender: int


@dataclass(frozen=True, slots=True)
class WebRtcUp:
    """ICE and DTLS are up."""

    sender: int


@dataclass(frozen=True, slots=True)
class WebRtcDown:
    """The PeerConnection is gone, for a reason such as ``ICE failed`` or ``DTLS alert``."""

    sender: int
    reason: str


@dataclass(frozen=True, slots=True)
class Media:
    """Media from the browser started to arrive, or has not for ``silent_s`` seconds."""

    sender: int
    is_receiving: bool
    silent_s: int | None


@dataclass(frozen=True, slots=True)
class SlowLink:
    """Packets were lost on the way from (``is_uplink``) or to the browser."""

    sender: int
    is_uplink: bool
    lost_packets: int | None


@dataclass(frozen=True, slots=True)
class SipRegistered:
    """The handle has an identity; ``master_id`` is what others may borrow it by."""

    master_id: int | None


@dataclass(frozen=True, slots=True)
class SipCalling:
    """The INVITE is on its way."""


@dataclass(frozen=True, slots=True)
class SipProceeding:
    """The called side gave a sign of life: a provisional answer above 100."""


@dataclass(frozen=True, slots=True)
class SipRinging:
    """The called side rings."""


@dataclass(frozen=True, slots=True)
class SipProgress:
    """Early media: the answer may come with it."""


@dataclass(frozen=True, slots=True)
class SipAccepted:
    """The called side answered."""


@dataclass(frozen=True, slots=True)
class SipHungUp:
    """The SIP dialog ended, or the INVITE was refused, with this status."""

    sip_code: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class SipIncomingCall:
    """Somebody calls this handle."""


@dataclass(frozen=True, slots=True)
class SipFailed:
    """The plugin refused the request."""

    janus_code: int
    reason: str


@dataclass(frozen=True, slots=True)
class SipOther:
    """An event that changes nothing here, by its name."""

    name: str


SipEvent = (
    SipRegistered
    | SipCalling
    | SipProceeding
    | SipRinging
    | SipProgress
    | SipAccepted
    | SipHungUp
    | SipIncomingCall
    | SipFailed
    | SipOther
)


@dataclass(frozen=True, slots=True)
class PluginEvent:
    """What the SIP plugin says on one handle, with the SDP it may carry."""

    sender: int
    transaction: str | None
    event: SipEvent
    sdp: str | None = None


@dataclass(frozen=True, slots=True)
class OtherMessage:
    """A message that changes nothing here, by its name."""

    name: str


Message = (
    Ack
    | Success
    | Failure
    | SessionTimedOut
    | HandleDetached
    | WebRtcUp
    | WebRtcDown
    | Media
    | SlowLink
    | PluginEvent
    | OtherMessage
)
