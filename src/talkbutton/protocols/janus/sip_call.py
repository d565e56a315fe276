"""One visitor's call through Janus's SIP plugin, without I/O.

    NEW -> ATTACHING -> REGISTERING -> CALLING -> TRYING -> TALKING -> ENDING -> CLOSED
                                         |           |                   ^         ^
                                         |           +--> CANCELLING ----+         |
                                         +-- refusal, silence, loss ---------------+

REGISTERING borrows the identity of a master handle (``type: helper``): the call's own handle
never knows the password. From TRYING on the INVITE is out. ENDING waits for SIP to say that the
dialog is over, so that the far end is told before the handle goes; CLOSED has asked for Detach
where there was a handle. A call that is hung up before its INVITE left waits until the plugin
is between two requests.

CANCELLING is there because Janus 1.4 loses a hang-up that meets the digest authentication of the
INVITE: it forgets the call, the far end does not, and no later request mends it (measured: one
in three calls that were hung up within a millisecond stayed in Asterisk). So a call is hung up
only when the far end gave a sign of life, or had ample time to.

Source: Janus "SIP plugin documentation"; ``janus_sip.c`` of Janus 1.4 for what it leaves out.
"""

import enum

from talkbutton.protocols.janus.call_plan import CallPlan, CallTimes
from talkbutton.protocols.janus.candidate_queue import CandidateQueue
from talkbutton.protocols.janus.handle import (
    Ask,
    Attached,
    HandleEffect,
    HandleInput,
    Report,
    RequestRefused,
    RequestUnanswered,
)
from talkbutton.protocols.janus.messages import (
    HandleDetached,
    Media,
    PluginEvent,
    SipAccepted,
    SipCalling,
    SipFailed,
    SipHungUp,
    SipProceeding,
    SipProgress,
    SipRegistered,
    SipRinging,
    SlowLink,
    WebRtcDown,
    WebRtcUp,
)
from talkbutton.protocols.janus.news import (
    Answered,
    Calling,
    HungUp,
    IceConnected,
    LinkSlow,
    Lost,
    MediaHeard,
    MediaSilent,
    News,
    Refused,
    Ringing,
)
from talkbutton.protocols.janus.requests import (
    Attach,
    Candidate,
    Detach,
    PluginRequest,
    Trickle,
)

__all__ = ["CallState", "SipCall"]

_WEBRTC_CAUSES = {"ICE failed": "media.ice_failed", "DTLS alert": "media.peer_closed"}


class CallState(enum.Enum):
    """Where the call is in its life."""

    NEW = "new"
    ATTACHING = "attaching"
    REGISTERING = "registering"
    CALLING = "calling"
    TRYING = "trying"
    TALKING = "talking"
    CANCELLING = "cancelling"
    ENDING = "ending"
    CLOSED = "closed"


_SIGNS_OF_LIFE = (SipProceeding, SipRinging, SipProgress, SipAccepted)
_SETTING_UP = (CallState.ATTACHING, CallState.REGISTERING, CallState.CALLING)


class SipCall:
    """Attach, borrow the identity, call, and see the call to its end.

    Args:
        plan: The call.
        times: How long each wait may last.
    """

    def __init__(self, plan: CallPlan, times: CallTimes | None = None) -> None:
        self.state = CallState.NEW
        self.deadline: float | None = None
        self._plan = plan
        self._times = times or CallTimes()
        self._handle_id: int | None = None
        self._candidates = CandidateQueue()
        self._is_far_end_alive = False
        self._has_rung = False
        self._has_answer = False
        self._is_cancelled = False  # hung up before the INVITE was out
        self._is_over = False  # the owner was told the end

    @property
    def is_closed(self) -> bool:
        """Whether the call and its handle are done."""
        return self.state is CallState.CLOSED

    def start(self, *, now: float) -> list[HandleEffect]:
        """Ask for a handle. Valid once."""
        assert self.state is CallState.NEW, self.state
        self.state = CallState.ATTACHING
        self.deadline = now + self._times.setup_s
        return [Ask(Attach(self._plan.call_id))]

    def trickle(self, candidate: Candidate | None) -> list[HandleEffect]:
        """Pass on a candidate of the browser; None says that it was the last."""
        if self._is_over:
            return []
        self._candidates.put(candidate)
        return self._flush_candidates() if self._is_invite_out else []

    @property
    def candidates_dropped(self) -> int:
        """How many candidates were one too many."""
        return self._candidates.dropped

    def hang_up(self, *, now: float) -> list[HandleEffect]:
        """End the call, in whatever state it is."""
        match self.state:
            case CallState.TRYING | CallState.TALKING:
                return self._end(now)
            case CallState.REGISTERING | CallState.CALLING:
                self._is_cancelled = True
                return self._tell_end(HungUp(None, "cancelled"))
            case CallState.NEW | CallState.ATTACHING:
                return self._close(HungUp(None, "cancelled"))
            case _:
                return []

    def receive(self, heard: HandleInput, *, now: float) -> list[HandleEffect]:
        """Take what came for this handle."""
        if self.state is CallState.CLOSED:
            return []
        match heard:
            case PluginEvent():
                return self._take_sip(heard, now)
            case Attached(handle_id):
                return self._take_handle(handle_id)
            case RequestRefused() | RequestUnanswered():
                return self._take_no(heard)
            case HandleDetached():
                self._handle_id = None
                return self._close(Lost("janus.handle_detached"))
            case WebRtcDown(_, reason):
                return self._take_webrtc_down(reason, now)
            case WebRtcUp() | Media() | SlowLink():
                return [] if self._is_over else [Report(_media_news(heard))]

    def handle_timeout(self, *, now: float) -> list[HandleEffect]:
        """Give up on a set-up, an answer or a confirmation that does not come."""
        if self.deadline is None or now < self.deadline:
            return []
        if self.state is CallState.TRYING:
            return self._tell_end(Lost("sip.no_answer")) + self._end(now)
        if self.state is CallState.CANCELLING:
            return self._hang_up_now(now)
        if self.state is CallState.ENDING:
            return self._close(Lost("sip.hang_up_unconfirmed"))
        return self._close(Lost("janus.no_reply"))

    def lose(self, cause: str) -> list[HandleEffect]:
        """Learn that the session, and with it the handle, is gone."""
        self._handle_id = None
        return self._close(Lost(cause))

    @property
    def _is_invite_out(self) -> bool:
        return self.state in (CallState.TRYING, CallState.TALKING)

    def _take_handle(self, handle_id: int) -> list[HandleEffect]:
        assert self.state is CallState.ATTACHING, self.state
        self._handle_id = handle_id
        self.state = CallState.REGISTERING
        body = {
            "request": "register",
            "type": "helper",
            "username": self._plan.username,
            "master_id": self._plan.master_id,
        }
        return [Ask(PluginRequest(body))]

    def _take_sip(self, heard: PluginEvent, now: float) -> list[HandleEffect]:
        if self.state is CallState.CALLING and isinstance(heard.event, _SIGNS_OF_LIFE):
            return self._take_calling(now) + self._take_sip(heard, now)  # it was overtaken
        if isinstance(heard.event, _SIGNS_OF_LIFE):
            self._is_far_end_alive = True
            if self.state is CallState.CANCELLING:
                return self._hang_up_now(now)
        match heard.event:
            case SipRegistered() if self.state is CallState.REGISTERING:
                return self._invite()
            case SipCalling() if self.state is CallState.CALLING:
                return self._take_calling(now)
            case SipAccepted() if self.state is CallState.TRYING:
                return self._take_accepted(heard.sdp, now)
            case SipHungUp(sip_code, reason):
                return self._close(HungUp(sip_code, reason))
            case SipFailed(janus_code, reason):
                return self._take_sip_failure(janus_code, reason)
            case _:
                return self._take_progress(heard) if self.state is CallState.TRYING else []

    def _take_progress(self, heard: PluginEvent) -> list[HandleEffect]:
        match heard.event:
            case SipRinging() if not self._has_rung:
                self._has_rung = True
                return [Report(Ringing())]
            case SipProgress():
                return self._tell_answer(heard.sdp, is_early=True)
            case _:
                return []

    def _invite(self) -> list[HandleEffect]:
        if self._is_cancelled:
            return self._close(HungUp(None, "cancelled"))
        self.state = CallState.CALLING
        body = {
            "request": "call",
            "uri": self._plan.uri,
            "headers": dict(self._plan.headers),
            "autoaccept_reinvites": True,
        }
        return [Ask(PluginRequest(body, self._plan.offer_sdp))]

    def _take_calling(self, now: float) -> list[HandleEffect]:
        if self._is_cancelled:
            return self._end(now)
        assert self._handle_id is not None
        self.state = CallState.TRYING
        self.deadline = now + self._times.answer_s
        return [Report(Calling(self._handle_id)), *self._flush_candidates()]

    def _take_accepted(self, sdp: str | None, now: float) -> list[HandleEffect]:
        if sdp is None and not self._has_answer:
            return self._tell_end(Lost("sip.answer_without_sdp")) + self._end(now)
        self.state = CallState.TALKING
        self.deadline = None
        return self._tell_answer(sdp, is_early=False)

    def _tell_answer(self, sdp: str | None, *, is_early: bool) -> list[HandleEffect]:
        if sdp is None or self._has_answer:
            return []
        self._has_answer = True
        return [Report(Answered(sdp, is_early))]

    def _take_sip_failure(self, janus_code: int, reason: str) -> list[HandleEffect]:
        if self.state in _SETTING_UP:
            return self._close(Refused(janus_code, reason))
        if self.state is CallState.ENDING:
            return self._close(Lost("sip.hang_up_unconfirmed"))
        return []

    def _take_no(self, heard: RequestRefused | RequestUnanswered) -> list[HandleEffect]:
        if isinstance(heard.request, Trickle):
            return []  # one path less, for ICE to find out
        if isinstance(heard, RequestUnanswered):
            return self._close(Lost("janus.no_reply"))
        if self.state in _SETTING_UP:
            return self._close(Refused(heard.janus_code, heard.reason))
        return self._close(Lost("janus.refused"))

    def _take_webrtc_down(self, reason: str, now: float) -> list[HandleEffect]:
        if self.state in (CallState.CANCELLING, CallState.ENDING):
            return []
        lost = Lost(_WEBRTC_CAUSES.get(reason, "media.lost"))
        if not self._is_invite_out:
            return self._close(lost)
        return self._tell_end(lost) + self._end(now)

    def _flush_candidates(self) -> list[HandleEffect]:
        trickle = self._candidates.take()
        return [] if trickle is None else [Ask(trickle)]

    def _end(self, now: float) -> list[HandleEffect]:
        if self._is_far_end_alive:
            return self._hang_up_now(now)
        self.state = CallState.CANCELLING
        self.deadline = now + self._times.cancel_s
        return []

    def _hang_up_now(self, now: float) -> list[HandleEffect]:
        self.state = CallState.ENDING
        self.deadline = now + self._times.hang_up_s
        return [Ask(PluginRequest({"request": "hangup"}))]

    def _tell_end(self, news: News) -> list[HandleEffect]:
        if self._is_over:
            return []
        self._is_over = True
        return [Report(news)]

    def _close(self, news: News) -> list[HandleEffect]:
        if self.state is CallState.CLOSED:
            return []
        told = self._tell_end(news)
        self.state = CallState.CLOSED
        self.deadline = None
        return told if self._handle_id is None else [*told, Ask(Detach())]


def _media_news(heard: WebRtcUp | Media | SlowLink) -> News:
    match heard:
        case WebRtcUp():
            return IceConnected()
        case Media(_, is_receiving, silent_s):
            return MediaHeard() if is_receiving else MediaSilent(silent_s)
        case SlowLink(_, is_uplink, lost_packets):
            return LinkSlow(is_uplink, lost_packets)
