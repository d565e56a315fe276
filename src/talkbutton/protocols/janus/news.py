"""What a handle's machine reports to its owner."""

from dataclasses import dataclass

__all__ = [
    "Answered",
    "CallNews",
    "Calling",
    "HungUp",
    "IceConnected",
    "LinkSlow",
    "Lost",
    "MasterReady",
    "MediaHeard",
    "MediaSilent",
    "News",
    "Refused",
    "Ringing",
]


@dataclass(frozen=True, slots=True)
class Calling:
    """The INVITE left; the handle is ``handle_id``."""

    handle_id: int


@dataclass(frozen=True, slots=True)
class Ringing:
    """The called side rings."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer for the browser; told once.

    Attributes:
        sdp: Janus's answer, with its candidates.
        is_early: It came with 183 Session Progress, before the called side picked up.
    """

    sdp: str
    is_early: bool = False


@dataclass(frozen=True, slots=True)
class IceConnected:
    """ICE and DTLS between the browser and Janus are up."""


@dataclass(frozen=True, slots=True)
class MediaHeard:
    """Media from the browser arrives (again)."""


@dataclass(frozen=True, slots=True)
class MediaSilent:
    """No media from the browser for ``silent_s`` seconds; None where Janus does not say."""

    silent_s: int | None


@dataclass(frozen=True, slots=True)
class LinkSlow:
    """Packets were lost from (``is_uplink``) or to the browser."""

    is_uplink: bool
    lost_packets: int | None


@dataclass(frozen=True, slots=True)
class HungUp:
    """The call is over, by SIP.

    Attributes:
        sip_code: SIP status: 200 after an answered call, otherwise why it was refused. None if
            the call was cancelled before an INVITE left. From 900 on it is a word of Janus's own
            SIP stack: 904 means that Asterisk did not take the identity's password.
        reason: SIP's words.
    """

    sip_code: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The call, or the master, is over because something broke.

    Attributes:
        cause: Stable name: ``media.ice_failed`` ``media.peer_closed`` ``media.lost``
            ``sip.no_answer`` ``sip.hang_up_unconfirmed`` ``sip.answer_without_sdp``
            ``janus.no_reply`` ``janus.handle_detached`` ``janus.session_timed_out``
            ``janus.connection_lost`` ``janus.refused``.
    """

    cause: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Janus or its SIP plugin refused to set the handle up."""

    janus_code: int
    reason: str


@dataclass(frozen=True, slots=True)
class MasterReady:
    """The identity is there to be borrowed, by ``master_id``."""

    master_id: int
    handle_id: int


CallNews = Ringing | Answered | IceConnected | MediaHeard | MediaSilent | LinkSlow | HungUp | Lost
"""News of a call that was placed; ``HungUp`` or ``Lost`` comes once, last."""

News = CallNews | Calling | Refused | MasterReady
