"""One visitor's signaling socket and the one call it may make, without I/O.

    START -> GRANT -> OFFER -> PLACING -> PLACED -> ANSWERED
      |        |        |         |          |          |
      |        |        |         +----------+----------+--> ENDING (the bridge said why, or the
      |        |        |                    |                       far end hung up without why)
      +--------+--------+--------------------+-------------> CLOSED

The owner feeds what happens and the time, and carries out the effects in order. The session ends
once: with ``ended`` and a cause, with ``error`` and a code, or silently where the socket is gone.

Times are monotonic seconds supplied by the caller as ``now``.

Source: docs/reference/signaling.md.
"""

import enum
from collections.abc import Mapping

from talkbutton.errors import ProtocolError
from talkbutton.events import Scalar
from talkbutton.protocols.signaling.call_clock import CallClock, Due
from talkbutton.protocols.signaling.causes import (
    EndCause,
    ErrorCode,
    as_end_cause,
    cause_of_hang_up,
    cause_of_loss,
)
from talkbutton.protocols.signaling.effects import (
    Close,
    Effect,
    HangUpGateway,
    PlaceCall,
    Record,
    Send,
    SpendGrant,
    Trickle,
)
from talkbutton.protocols.signaling.inputs import (
    CallAnswered,
    CallConnected,
    CallHungUp,
    CallLost,
    CallNotPlaced,
    CallPlaced,
    CallRinging,
    CallSilent,
    CaptionHeard,
    EndingHeard,
    GrantAccepted,
    GrantDenied,
    Input,
    OperatorHungUp,
    ReaderTooSlow,
    SocketClosed,
    VisitorSent,
)
from talkbutton.protocols.signaling.limits import MessageBudget, Reports
from talkbutton.protocols.signaling.messages import (
    Bye,
    Candidate,
    IceState,
    Offer,
    Start,
    Stats,
    VisitorMessage,
    parse_visitor_message,
)
from talkbutton.protocols.signaling.replies import (
    encode_answer,
    encode_caption,
    encode_ended,
    encode_ending_soon,
    encode_error,
    encode_ready,
    encode_ringing,
)
from talkbutton.protocols.signaling.sdp import AudioOffer, codec_of_answer, parse_offer

__all__ = ["SessionState", "SignalingSession"]

START_DEADLINE_S = 5.0
OFFER_DEADLINE_S = 10.0
ANSWER_DEADLINE_S = 20.0
CANDIDATES_MAX = 50
_ENDING_CAUSE_S = 0.5  # the far end hung up: the bridge's reason may be a moment late
_ENDING_HANG_UP_S = 3.0  # the bridge said why: the hang-up itself should follow
_CLOSE_NORMAL = 1000
_CLOSES_OF_OURS = frozenset({1007, 1009, 1012})


class SessionState(enum.Enum):
    """What the session waits for."""

    START = "start"
    GRANT = "grant"
    OFFER = "offer"
    PLACING = "placing"
    PLACED = "placed"
    ANSWERED = "answered"
    ENDING = "ending"
    CLOSED = "closed"


class SignalingSession:
    """From the opened socket to the call's one end.

    Args:
        now: When the socket was opened, monotonic seconds.
    """

    def __init__(self, *, now: float) -> None:
        self.state = SessionState.START
        self.deadline: float | None = now + START_DEADLINE_S  # call handle_timeout() then
        self.call_id: str | None = None
        self._budget = MessageBudget(rate_hz=20.0, burst_messages=120, total_messages=20_000)
        self._reports = Reports()
        self._candidates = 0
        self._untold: list[Candidate] = []  # candidates that came while the call is being placed
        self._clock = CallClock()
        self.used_s = 0.0  # what the call has cost its owner, once it is over
        self._has_call = False  # the gateway has a call, or is about to
        self._is_ringing = False
        self._cause: EndCause = "internal"  # only of use in ENDING

    def receive(self, heard: Input, *, now: float) -> list[Effect]:
        """Take one input; what does not fit the state changes nothing."""
        if self.state is SessionState.CLOSED:
            return []
        match heard:
            case VisitorSent(message):
                return self._hear_visitor(message, now)
            case GrantAccepted() | GrantDenied():
                return self._hear_admission(heard, now)
            case CaptionHeard() | EndingHeard():
                return self._hear_bridge(heard, now)
            case OperatorHungUp():
                return self._end("operator_hung_up", now)
            case SocketClosed(close_code):
                cause: EndCause = "internal" if close_code in _CLOSES_OF_OURS else "visitor_hung_up"
                measures = {"visitor_close_code": close_code}
                return self._close(cause, now, Close(_CLOSE_NORMAL), measures)
            case ReaderTooSlow():
                return self._fail("too_slow", "the visitor does not read", now)
            case _:
                return self._hear_gateway(heard, now)

    def handle_timeout(self, *, now: float) -> list[Effect]:
        """End what took too long; early calls change nothing."""
        if self.deadline is None or now < self.deadline:
            return []
        match self.state:
            case SessionState.START | SessionState.GRANT | SessionState.OFFER:
                return self._fail("timeout", f"no {self.state.value}", now)
            case SessionState.PLACING:
                return self._end("gateway_unavailable", now)
            case SessionState.PLACED:
                return self._end("no_answer" if self._is_ringing else "line_unavailable", now)
            case SessionState.ANSWERED:
                return self._hear_clock(now)
            case _:
                return self._end(self._cause, now)

    def _hear_clock(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        for due in self._clock.due(now=now):
            match due:
                case Due.NO_MEDIA:
                    return [*effects, *self._end("media_lost", now)]
                case Due.OVER:
                    return [*effects, *self._end("duration_limit", now)]
                case Due.ENDING_SOON:
                    left_s = round(self._clock.warning_s)
                    effects.append(Record("visitor.warned", measures={"left_s": left_s}))
                    effects.append(Send(encode_ending_soon(left_s)))
        self.deadline = self._clock.deadline
        return effects

    def _hear_visitor(self, message: str | bytes, now: float) -> list[Effect]:
        if not self._budget.take(now=now):
            return self._fail("too_many_messages", "too many messages", now)
        if isinstance(message, bytes):
            return self._fail("message_invalid", "a message is not text", now)
        try:
            parsed = parse_visitor_message(message)
        except ProtocolError as exc:
            return self._fail("message_invalid", str(exc), now)
        if self.state is SessionState.START:
            # Whatever else comes first has no permission to come.
            self.state = SessionState.GRANT
            return [SpendGrant(parsed.token if isinstance(parsed, Start) else None)]
        if self.state is SessionState.ENDING:
            return []
        return self._hear_message(parsed, now)

    def _hear_message(self, message: VisitorMessage, now: float) -> list[Effect]:
        match message:
            case Offer(sdp) if self.state is SessionState.OFFER:
                return self._hear_offer(sdp, now)
            case Candidate() if self._has_call:
                return self._hear_candidate(message, now)
            case Stats(measures):
                return self._reports.take_stats(measures, now=now)
            case IceState(ice):
                return self._reports.take_ice_state(ice)
            case Bye(reason):
                return self._end("visitor_hung_up", now, {"bye": reason})
            case _:
                name = type(message).__name__.lower()
                return self._fail("message_invalid", f"{name} in state {self.state.value}", now)

    def _hear_offer(self, sdp: str, now: float) -> list[Effect]:
        try:
            offer: AudioOffer = parse_offer(sdp)
        except ProtocolError as exc:
            return self._fail("offer_invalid", str(exc), now)
        self.state = SessionState.PLACING
        self.deadline = now + ANSWER_DEADLINE_S
        self._has_call = True
        measures: dict[str, Scalar] = {
            "sdp_bytes": len(sdp),
            "codecs": ",".join(offer.codecs),
            "candidates": offer.candidates,
        }
        return [Record("offer.received", measures=measures), PlaceCall(offer.sdp)]

    def _hear_candidate(self, message: Candidate, now: float) -> list[Effect]:
        if message.candidate is not None:
            self._candidates += 1
        if self._candidates > CANDIDATES_MAX:
            return self._fail("too_many_messages", "too many candidates", now)
        if message.candidate is not None and not message.candidate.is_for_gateway:
            return []
        if self.state is SessionState.PLACING:
            if message.candidate is not None or message not in self._untold:
                self._untold.append(message)
            return []
        return [Trickle(message)]

    def _hear_admission(self, heard: GrantAccepted | GrantDenied, now: float) -> list[Effect]:
        if self.state is not SessionState.GRANT:
            return []
        if isinstance(heard, GrantDenied):
            return self._fail(heard.code, heard.detail, now, detail=heard.detail)
        self.state = SessionState.OFFER
        self.deadline = now + OFFER_DEADLINE_S
        self.call_id = heard.call_id
        self._clock = CallClock(duration_max_s=heard.duration_max_s, warning_s=heard.warning_s)
        return [Record("signaling.opened"), Send(encode_ready(heard.call_id))]

    def _hear_bridge(self, heard: CaptionHeard | EndingHeard, now: float) -> list[Effect]:
        if isinstance(heard, CaptionHeard):
            caption = encode_caption(heard.caption)
            return [] if caption is None or self.call_id is None else [Send(caption)]
        if self.state is SessionState.ENDING and not self._has_call:
            return self._end(as_end_cause(heard.cause), now)
        if self._has_call and self.state is not SessionState.ENDING:
            self._await_end(as_end_cause(heard.cause), now + _ENDING_HANG_UP_S)
        return []

    def _hear_gateway(self, heard: Input, now: float) -> list[Effect]:
        match heard:
            case CallHungUp():
                return self._hear_hang_up(heard, now)
            case CallLost(loss):
                is_explained = self.state is SessionState.ENDING
                return self._end(
                    self._cause if is_explained else cause_of_loss(loss), now, {"loss": loss}
                )
            case CallNotPlaced(cause, reason):
                self._has_call = False
                return self._end(cause, now, {"why": reason})
            case CallConnected():
                self._clock.connect()
                if self.state is SessionState.ANSWERED:
                    self.deadline = self._clock.deadline
                return [Record("ice.connected", "janus")]
            case CallSilent(silent_s):
                return [Record("media.went_silent", "janus", {"silent_s": silent_s})]
            case _ if self.state is SessionState.ENDING:
                return []
            case _:
                return self._hear_progress(heard, now)

    def _hear_progress(self, heard: Input, now: float) -> list[Effect]:
        match heard:
            case CallPlaced(measures) if self.state is SessionState.PLACING:
                self.state = SessionState.PLACED
                untold, self._untold = self._untold, []
                placed = Record("sip.calling", "janus", measures)
                return [placed, *(Trickle(candidate) for candidate in untold)]
            case CallRinging() if self.state is SessionState.PLACED and not self._is_ringing:
                self._is_ringing = True
                return [Record("sip.ringing", "janus"), Send(encode_ringing())]
            case CallAnswered(sdp) if self.state is SessionState.PLACED:
                self.state = SessionState.ANSWERED
                self._clock.answer(now=now)
                self.deadline = self._clock.deadline
                answered = Record("sip.answered", "janus", {"codec": codec_of_answer(sdp)})
                return [answered, Send(encode_answer(sdp))]
            case _:
                return []

    def _hear_hang_up(self, heard: CallHungUp, now: float) -> list[Effect]:
        measures: dict[str, Scalar] = {"sip_code": heard.sip_code, "sip_reason": heard.reason[:100]}
        hung_up = Record("sip.hung_up", "janus", measures)
        self._has_call = False
        if self.state is SessionState.ENDING:
            return [hung_up, *self._end(self._cause, now)]
        cause = cause_of_hang_up(
            heard.sip_code,
            was_answered=self._clock.is_answered,
            is_line_ready=heard.is_line_ready,
        )
        self._await_end(cause, now + _ENDING_CAUSE_S)
        return [hung_up]

    def _await_end(self, cause: EndCause, deadline: float) -> None:
        self.state = SessionState.ENDING
        self.deadline = deadline
        self._cause = cause

    def _end(
        self, cause: EndCause, now: float, measures: Mapping[str, Scalar] | None = None
    ) -> list[Effect]:
        closing = self._close(cause, now, Close(_CLOSE_NORMAL), measures or {})
        return [Send(encode_ended(cause)), *closing]

    def _fail(
        self, code: ErrorCode | str, why: str, now: float, *, detail: str | None = None
    ) -> list[Effect]:
        message, close_code = encode_error(code, detail)
        measures: dict[str, Scalar] = {"error": code, "why": why}
        return [
            Send(message),
            *self._close("internal", now, Close(close_code, code), measures),
        ]

    def _close(
        self, cause: EndCause, now: float, close: Close, measures: Mapping[str, Scalar]
    ) -> list[Effect]:
        self.state = SessionState.CLOSED
        self.deadline = None
        self.used_s = self._clock.used_s(now=now)
        effects: list[Effect] = [HangUpGateway(cause)] if self._has_call else []
        if self.call_id is not None:
            ended: dict[str, Scalar] = {"cause": cause, **measures}
            duration_s = self._clock.duration_s(now=now)
            if duration_s is not None:
                ended["duration_ms"] = round(duration_s * 1000)
            effects += [
                Record("call.ended", measures=ended),
                Record("signaling.closed", measures={"close_code": close.code}),
            ]
        return [*effects, close]
