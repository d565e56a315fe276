"""The signaling session as lists of inputs and effects."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.protocols.signaling import (
    CallAnswered,
    CallConnected,
    CallHungUp,
    CallLost,
    CallNotPlaced,
    CallPlaced,
    CallRinging,
    CallSilent,
    CaptionHeard,
    Close,
    Effect,
    EndingHeard,
    GrantAccepted,
    GrantDenied,
    HangUpGateway,
    Input,
    PlaceCall,
    ReaderTooSlow,
    Record,
    Send,
    SessionState,
    SignalingSession,
    SocketClosed,
    SpendGrant,
    Trickle,
    VisitorSent,
    parse_offer,
)

pytestmark = pytest.mark.core

OFFER = (Path(__file__).parents[2] / "support/chromium_offer.sdp").read_text()
CALL_ID = "0" * 32
CANDIDATE = "candidate:1 1 udp 2113937151 192.0.2.5 50000 typ host"
CAPTION = {"speaker": "bot", "utterance_id": "u1", "text": "Hello", "final": True}


def said(message_type: str, **more: Any) -> VisitorSent:
    return VisitorSent(json.dumps({"type": message_type, **more}))


START = said("start", token="t")
OFFERED = said("offer", sdp=OFFER)
TRICKLED = said("candidate", candidate=CANDIDATE, sdpMid="0", sdpMLineIndex=0)


def session_after(*inputs: Input) -> SignalingSession:
    session = SignalingSession(now=0.0)
    for heard in inputs:
        session.receive(heard, now=1.0)
    return session


ACCEPTED = (START, GrantAccepted(CALL_ID, 600))
PLACING = (*ACCEPTED, OFFERED)
PLACED = (*PLACING, CallPlaced())
ANSWERED = (*PLACED, CallAnswered("v=0"))


def ends_with_cause(effects: list[Effect]) -> str:
    """Return the cause, after checking that the session says it everywhere alike."""
    assert isinstance(effects[-1], Close)
    told = [e.message for e in effects if isinstance(e, Send) and e.message["type"] == "ended"]
    recorded = [e for e in effects if isinstance(e, Record) and e.name == "call.ended"]
    assert len(told) == len(recorded) == 1
    assert told[0]["detail"].endswith(".")
    assert told[0]["cause"] == recorded[0].measures["cause"]
    assert effects[-1] == Close(1000)
    return str(told[0]["cause"])


def fails_with_code(effects: list[Effect]) -> tuple[str, int]:
    first, last = effects[0], effects[-1]
    assert isinstance(first, Send)
    assert first.message["type"] == "error"
    assert isinstance(last, Close)
    assert last.reason == first.message["code"]
    return last.reason, last.code


def test_the_whole_way() -> None:
    session = SignalingSession(now=0.0)
    assert session.deadline == 5.0
    assert session.receive(START, now=1.0) == [SpendGrant("t")]
    assert session.receive(GrantAccepted(CALL_ID, 600), now=1.0) == [
        Record("signaling.opened"),
        Send({"type": "ready", "call_id": CALL_ID}),
    ]
    assert session.deadline == 11.0
    record, place = session.receive(OFFERED, now=2.0)
    assert isinstance(record, Record)
    assert record.measures["codecs"] == "opus,PCMU,PCMA,telephone-event"
    assert place == PlaceCall(parse_offer(OFFER).sdp)
    assert session.deadline == 22.0
    assert session.receive(CallPlaced({"janus_handle_id": 7}), now=2.1) == [
        Record("sip.calling", "janus", {"janus_handle_id": 7})
    ]
    assert session.receive(CallRinging(), now=2.2) == [
        Record("sip.ringing", "janus"),
        Send({"type": "ringing"}),
    ]
    assert session.receive(CallAnswered("v=0"), now=2.3) == [
        Record("sip.answered", "janus", {"codec": None}),
        Send({"type": "answer", "sdp": "v=0"}),
    ]
    assert session.receive(CallConnected(), now=2.5) == [Record("ice.connected", "janus")]
    assert session.receive(CaptionHeard(CAPTION), now=3.0) == [Send({"type": "caption", **CAPTION})]
    assert session.receive(EndingHeard("bot_hung_up"), now=9.0) == []
    effects = session.receive(CallHungUp(200, "Session ended"), now=9.3)
    assert effects == [
        Record("sip.hung_up", "janus", {"sip_code": 200, "sip_reason": "Session ended"}),
        Send(
            {
                "type": "ended",
                "cause": "bot_hung_up",
                "detail": "The assistant ended the call.",
            }
        ),
        Record("call.ended", measures={"cause": "bot_hung_up", "duration_ms": 7000}),
        Record("signaling.closed", measures={"close_code": 1000}),
        Close(1000),
    ]
    assert session.state is SessionState.CLOSED
    assert session.deadline is None


@pytest.mark.parametrize("first", [said("start"), OFFERED, TRICKLED, said("bye"), said("stats")])
def test_whatever_comes_without_a_token_is_a_missing_grant(first: VisitorSent) -> None:
    session = SignalingSession(now=0.0)
    assert session.receive(first, now=1.0) == [SpendGrant(None)]


def test_a_denied_grant_is_told_and_nothing_is_recorded() -> None:
    session = session_after(START)
    assert session.receive(GrantDenied("grant_used", "Used."), now=1.0) == [
        Send({"type": "error", "code": "grant_used", "detail": "Used."}),
        Close(4001, "grant_used"),
    ]


@pytest.mark.parametrize(
    ("before", "message"),
    [
        ((), VisitorSent("garbage")),
        ((), VisitorSent(b"bytes")),
        (ACCEPTED, START),
        (ACCEPTED, TRICKLED),
        (ACCEPTED, said("candidate", candidate=None)),
        (PLACING, OFFERED),
        (PLACING, said("candidate", candidate="garbage")),
        (ANSWERED, START),
        (ANSWERED, OFFERED),
        (ANSWERED, VisitorSent(b"\x00")),
    ],
)
def test_what_is_out_of_place_ends_the_session(
    before: tuple[Input, ...], message: VisitorSent
) -> None:
    session = session_after(*before)
    assert fails_with_code(session.receive(message, now=2.0)) == ("message_invalid", 4002)


@pytest.mark.parametrize(
    "sdp", ["not sdp", OFFER.replace("m=audio", "m=video"), OFFER + "m=video 9 RTP/SAVPF 96\r\n"]
)
def test_a_wrong_offer_never_reaches_the_gateway(sdp: str) -> None:
    session = session_after(*ACCEPTED)
    effects = session.receive(said("offer", sdp=sdp), now=2.0)
    assert fails_with_code(effects) == ("offer_invalid", 4003)
    assert not any(isinstance(effect, PlaceCall | HangUpGateway) for effect in effects)


def test_an_error_in_a_call_hangs_it_up_and_is_on_record() -> None:
    effects = session_after(*ANSWERED).receive(VisitorSent("garbage"), now=2.0)
    assert effects[1] == HangUpGateway("internal")
    assert effects[2] == Record(
        "call.ended",
        measures={
            "cause": "internal",
            "error": "message_invalid",
            "why": "a message is not JSON",
            "duration_ms": 1000,
        },
    )


def test_a_candidate_that_is_not_for_the_gateway_is_counted_and_left_out() -> None:
    session = session_after(*PLACED)
    inside = said("candidate", candidate=CANDIDATE.replace("192.0.2.5", "127.0.0.1"))
    for _ in range(50):
        assert session.receive(inside, now=2.0) == []
    assert fails_with_code(session.receive(inside, now=2.0)) == ("too_many_messages", 4008)


def test_candidates_wait_until_the_call_is_placed() -> None:
    session = session_after(*PLACING)
    assert session.receive(TRICKLED, now=2.0) == []
    assert session.receive(said("candidate", candidate=""), now=2.0) == []
    assert session.receive(said("candidate", candidate=""), now=2.0) == []
    effects = session.receive(CallPlaced(), now=2.1)
    trickled = [effect.candidate.candidate for effect in effects if isinstance(effect, Trickle)]
    assert [None if one is None else one.text for one in trickled] == [CANDIDATE, None]
    late = session.receive(TRICKLED, now=2.2)
    assert [type(effect) for effect in late] == [Trickle]


def test_fifty_candidates_pass_and_the_next_does_not() -> None:
    session = session_after(*PLACED)
    for _ in range(50):
        assert [type(effect) for effect in session.receive(TRICKLED, now=2.0)] == [Trickle]
    effects = session.receive(TRICKLED, now=2.0)
    assert fails_with_code(effects) == ("too_many_messages", 4008)
    assert HangUpGateway("internal") in effects


def test_a_flood_ends_the_session() -> None:
    session = session_after(*ANSWERED)
    allowed = 0
    while not (effects := session.receive(said("state", ice="checking"), now=2.0)) or isinstance(
        effects[0], Record
    ):
        allowed += 1
        assert allowed < 1_000
    assert fails_with_code(effects) == ("too_many_messages", 4008)


def test_twenty_messages_a_second_may_go_on() -> None:
    session = session_after(*ANSWERED)
    for tick in range(2_000):
        assert session.receive(said("stats", tick=tick), now=2.0 + tick / 20) in (
            [],
            [Record("browser.stats", "browser", {"tick": tick})],
        )
    assert session.state is SessionState.ANSWERED


def test_stats_are_recorded_once_a_second_and_ice_states_each_time() -> None:
    session = session_after(*ANSWERED)
    assert session.receive(said("stats", rtt_ms=1.5), now=2.0) == [
        Record("browser.stats", "browser", {"rtt_ms": 1.5})
    ]
    assert session.receive(said("stats", rtt_ms=1.5), now=2.9) == []
    assert len(session.receive(said("stats", rtt_ms=1.5), now=3.0)) == 1
    assert session.receive(said("state", ice="connected"), now=3.0) == [
        Record("browser.ice_state", "browser", {"ice": "connected"})
    ]


def test_the_visitor_hangs_up() -> None:
    effects = session_after(*ANSWERED).receive(said("bye", reason="hung_up"), now=4.0)
    assert HangUpGateway("visitor_hung_up") in effects
    assert ends_with_cause(effects) == "visitor_hung_up"


@pytest.mark.parametrize("before", [PLACING, PLACED, ANSWERED])
def test_a_closed_socket_hangs_up(before: tuple[Input, ...]) -> None:
    effects = session_after(*before).receive(SocketClosed(1001), now=4.0)
    assert effects[0] == HangUpGateway("visitor_hung_up")
    assert not any(isinstance(effect, Send) for effect in effects)
    assert isinstance(effects[-1], Close)


def test_a_closed_socket_before_the_call_has_nothing_to_hang_up() -> None:
    assert session_after().receive(SocketClosed(1006), now=1.0) == [Close(1000)]
    names = [
        effect.name
        for effect in session_after(*ACCEPTED).receive(SocketClosed(1006), now=1.0)
        if isinstance(effect, Record)
    ]
    assert names == ["call.ended", "signaling.closed"]


def test_a_slow_reader_is_dropped() -> None:
    effects = session_after(*ANSWERED).receive(ReaderTooSlow(), now=4.0)
    assert fails_with_code(effects) == ("too_slow", 4009)
    assert HangUpGateway("internal") in effects


def limited(warning_s: float) -> tuple[Input, ...]:
    accepted = GrantAccepted(CALL_ID, 60.0, warning_s)
    return (START, accepted, OFFERED, CallPlaced(), CallAnswered("v=0"), CallConnected())


def test_the_visitor_is_told_once_before_the_longest_duration() -> None:
    session = session_after(*limited(20.0))
    assert session.deadline == 41.0
    assert session.handle_timeout(now=40.9) == []
    assert session.handle_timeout(now=41.0) == [
        Record("visitor.warned", measures={"left_s": 20}),
        Send({"type": "ending_soon", "left_s": 20}),
    ]
    assert session.state is SessionState.ANSWERED
    assert session.deadline == 76.0
    assert ends_with_cause(session.handle_timeout(now=76.0)) == "duration_limit"


@pytest.mark.parametrize("warning_s", [0.0, 60.0, 300.0])
def test_nobody_is_told_where_that_makes_no_sense(warning_s: float) -> None:
    assert session_after(*limited(warning_s)).deadline == 76.0


def test_a_call_that_is_late_for_everything_is_told_and_ended() -> None:
    effects = session_after(*limited(20.0)).handle_timeout(now=100.0)
    assert Send({"type": "ending_soon", "left_s": 20}) in effects
    assert ends_with_cause(effects) == "duration_limit"


@pytest.mark.parametrize(
    ("before", "used_s"),
    [
        (PLACED, 0.0),
        (ANSWERED, 0.0),
        ((*ANSWERED, CallConnected()), 8.0),
        ((*PLACED, CallConnected(), CallAnswered("v=0")), 8.0),
        ((*PLACED, CallConnected()), 0.0),
    ],
)
def test_a_call_costs_from_its_answer_if_there_was_a_media_path(
    before: tuple[Input, ...], used_s: float
) -> None:
    session = session_after(*before)
    assert session.used_s == 0.0
    session.receive(said("bye"), now=9.0)
    assert session.used_s == used_s


@pytest.mark.parametrize(("before", "at"), [((), 5.0), (ACCEPTED, 11.0)])
def test_a_silent_visitor_is_closed(before: tuple[Input, ...], at: float) -> None:
    session = session_after(*before)
    assert session.handle_timeout(now=at - 0.01) == []
    assert fails_with_code(session.handle_timeout(now=at)) == ("timeout", 4009)


@pytest.mark.parametrize(
    ("before", "at", "cause"),
    [
        (PLACING, 21.0, "gateway_unavailable"),
        (PLACED, 21.0, "line_unavailable"),
        ((*PLACED, CallRinging()), 21.0, "no_answer"),
        (ANSWERED, 16.0, "media_lost"),
        ((*ANSWERED, CallConnected()), 616.0, "duration_limit"),
        ((*PLACED, CallConnected(), CallAnswered("v=0")), 616.0, "duration_limit"),
    ],
)
def test_a_call_that_does_not_get_on_ends(before: tuple[Input, ...], at: float, cause: str) -> None:
    session = session_after(*before)
    assert session.handle_timeout(now=at - 0.01) == []
    effects = session.handle_timeout(now=at)
    assert any(isinstance(effect, HangUpGateway) for effect in effects)
    assert ends_with_cause(effects) == cause


@pytest.mark.parametrize(
    ("sip_code", "cause"),
    [
        (404, "bot_unavailable"),
        (480, "bot_unavailable"),
        (486, "bot_unavailable"),
        (503, "bot_unavailable"),
        (603, "bot_unavailable"),
        (403, "line_unavailable"),
        (408, "line_unavailable"),
        (500, "line_unavailable"),
        (504, "line_unavailable"),
        (487, "no_answer"),
        (488, "internal"),
        (None, "bot_unavailable"),
    ],
)
def test_a_refused_call_waits_a_moment_for_the_reason(sip_code: int | None, cause: str) -> None:
    session = session_after(*PLACED)
    assert len(session.receive(CallHungUp(sip_code, "no"), now=2.0)) == 1
    assert session.deadline == 2.5
    effects = session.handle_timeout(now=2.5)
    assert not any(isinstance(effect, HangUpGateway) for effect in effects)
    assert ends_with_cause(effects) == cause


def test_a_503_while_the_line_is_down_is_the_lines() -> None:
    session = session_after(*PLACED)
    session.receive(CallHungUp(503, "no", is_line_ready=False), now=2.0)
    assert ends_with_cause(session.handle_timeout(now=2.5)) == "line_unavailable"


def test_a_reason_that_comes_just_after_the_hang_up_counts() -> None:
    session = session_after(*ANSWERED)
    session.receive(CallHungUp(200, "bye"), now=2.0)
    effects = session.receive(EndingHeard("duration_limit"), now=2.2)
    assert ends_with_cause(effects) == "duration_limit"


def test_an_answered_call_that_ends_without_a_reason_lost_its_bot() -> None:
    session = session_after(*ANSWERED)
    session.receive(CallHungUp(200, "bye"), now=2.0)
    assert ends_with_cause(session.handle_timeout(now=2.5)) == "bot_unavailable"


def test_a_reason_without_a_hang_up_ends_the_call_anyway() -> None:
    session = session_after(*ANSWERED)
    session.receive(EndingHeard("nonsense"), now=2.0)
    assert session.receive(CaptionHeard(CAPTION), now=2.1) == [Send({"type": "caption", **CAPTION})]
    effects = session.handle_timeout(now=5.0)
    assert HangUpGateway("internal") in effects
    assert ends_with_cause(effects) == "internal"


@pytest.mark.parametrize(
    ("loss", "cause"),
    [
        ("media.lost", "media_lost"),
        ("media.ice_failed", "media_lost"),
        ("media.peer_closed", "visitor_hung_up"),
        ("janus.session_timed_out", "gateway_unavailable"),
        ("sip.no_answer", "line_unavailable"),
        ("sip.answer_without_sdp", "internal"),
        ("meteor", "internal"),
    ],
)
def test_a_lost_call(loss: str, cause: str) -> None:
    effects = session_after(*ANSWERED).receive(CallLost(loss), now=3.0)
    assert any(isinstance(effect, HangUpGateway) for effect in effects)  # the bridge is told
    assert ends_with_cause(effects) == cause


def test_a_lost_call_keeps_the_reason_that_the_bridge_gave() -> None:
    session = session_after(*ANSWERED, EndingHeard("bot_hung_up"))
    assert ends_with_cause(session.receive(CallLost("media.lost"), now=3.0)) == "bot_hung_up"


def test_a_call_that_cannot_be_placed() -> None:
    effects = session_after(*PLACING).receive(
        CallNotPlaced("gateway_unavailable", "no Janus"), now=3.0
    )
    assert ends_with_cause(effects) == "gateway_unavailable"
    assert not any(isinstance(effect, HangUpGateway) for effect in effects)


def test_silence_is_recorded() -> None:
    assert session_after(*ANSWERED).receive(CallSilent(5), now=3.0) == [
        Record("media.went_silent", "janus", {"silent_s": 5})
    ]


@pytest.mark.parametrize(
    "caption",
    [
        {},
        {**CAPTION, "speaker": "somebody"},
        {**CAPTION, "text": 5},
        {**CAPTION, "final": "yes"},
        {**CAPTION, "text": "x" * 5_000},
    ],
)
def test_a_wrong_caption_is_dropped(caption: dict[str, Any]) -> None:
    assert session_after(*ANSWERED).receive(CaptionHeard(caption), now=3.0) == []


INPUTS = st.sampled_from(
    [
        START,
        OFFERED,
        TRICKLED,
        said("bye"),
        said("stats", a=1),
        VisitorSent("garbage"),
        GrantAccepted(CALL_ID, 600),
        GrantDenied("grant_used", "Used."),
        CallPlaced(),
        CallNotPlaced("gateway_unavailable", "no"),
        CallRinging(),
        CallAnswered("v=0"),
        CallConnected(),
        CallSilent(),
        CallHungUp(486, "busy"),
        CallLost("media.lost"),
        CaptionHeard(CAPTION),
        EndingHeard("bot_hung_up"),
        SocketClosed(1001),
        ReaderTooSlow(),
    ]
)


@given(
    prefix=st.sampled_from([(), ACCEPTED, PLACING, PLACED, ANSWERED]),
    steps=st.lists(INPUTS | st.none(), max_size=12),
)
def test_in_any_order_it_ends_once_and_then_keeps_still(
    prefix: tuple[Input, ...], steps: list[Input | None]
) -> None:
    session = session_after(*prefix)
    effects: list[Effect] = []
    now = 2.0
    for step in steps:
        now += 0.1
        was_closed = session.state is SessionState.CLOSED
        if step is None:
            now = max(now, session.deadline or 0.0)
            new = session.handle_timeout(now=now)
        else:
            new = session.receive(step, now=now)
        assert not (was_closed and new)
        assert session.state is SessionState.CLOSED or session.deadline is not None
        effects += new
    closes = [n for n, effect in enumerate(effects) if isinstance(effect, Close)]
    assert closes in ([], [len(effects) - 1])
    assert sum(isinstance(effect, HangUpGateway) for effect in effects) <= 1
    assert sum(isinstance(e, Record) and e.name == "call.ended" for e in effects) <= 1
    assert (session.state is SessionState.CLOSED) == bool(closes)
