import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.protocols.janus import (
    Answered,
    Ask,
    Calling,
    CallPlan,
    CallState,
    Candidate,
    HungUp,
    IceConnected,
    LinkSlow,
    Lost,
    MediaHeard,
    MediaSilent,
    Refused,
    Report,
    Ringing,
    SipCall,
)
from talkbutton.protocols.janus.candidate_queue import CANDIDATES_MAX
from talkbutton.protocols.janus.handle import (
    Attached,
    HandleEffect,
    HandleInput,
    RequestRefused,
    RequestUnanswered,
)
from talkbutton.protocols.janus.messages import (
    HandleDetached,
    Media,
    PluginEvent,
    SipAccepted,
    SipCalling,
    SipEvent,
    SipFailed,
    SipHungUp,
    SipOther,
    SipProceeding,
    SipProgress,
    SipRegistered,
    SipRinging,
    SlowLink,
    WebRtcDown,
    WebRtcUp,
)
from talkbutton.protocols.janus.requests import Attach, Detach, PluginRequest, Trickle

pytestmark = pytest.mark.core

PLAN = CallPlan(
    "c1", "sip:7000@a:5060", {"X-Talkbutton-Ticket": "a.b.c"}, 5, "sip:talkbutton@a:5060", "offer"
)
REGISTER = PluginRequest(
    {"request": "register", "type": "helper", "username": PLAN.username, "master_id": 5}
)
CALL = PluginRequest(
    {
        "request": "call",
        "uri": PLAN.uri,
        "headers": {"X-Talkbutton-Ticket": "a.b.c"},
        "autoaccept_reinvites": True,
    },
    "offer",
)
HANG_UP = Ask(PluginRequest({"request": "hangup"}))
DETACH = Ask(Detach())
CANDIDATE = Candidate("candidate:1", "0")


def sip(event: SipEvent, sdp: str | None = None) -> PluginEvent:
    return PluginEvent(91, "t", event, sdp)


STEPS: list[tuple[CallState, HandleInput]] = [
    (CallState.REGISTERING, Attached(91)),
    (CallState.CALLING, sip(SipRegistered(5))),
    (CallState.TRYING, sip(SipCalling())),
    (CallState.TALKING, sip(SipAccepted(), "answer")),
]


def call_in(state: CallState) -> SipCall:
    """Return a call that has just come to ``state``, at time 0."""
    call = SipCall(PLAN)
    if state is CallState.NEW:
        return call
    call.start(now=0.0)
    if state is CallState.ENDING:
        call = call_in(CallState.TALKING)
        call.hang_up(now=0.0)
    elif state is CallState.CANCELLING:
        call = call_in(CallState.TRYING)
        call.hang_up(now=0.0)
    elif state is not CallState.ATTACHING:
        for reached, step in STEPS:
            call.receive(step, now=0.0)
            if reached is state:
                break
    assert call.state is state
    return call


def test_the_whole_way_of_a_call() -> None:
    call = SipCall(PLAN)
    assert call.start(now=0.0) == [Ask(Attach("c1"))]
    assert call.receive(Attached(91), now=0.1) == [Ask(REGISTER)]
    assert call.receive(sip(SipRegistered(5)), now=0.1) == [Ask(CALL)]
    assert call.deadline == 8.0
    assert call.receive(sip(SipCalling()), now=0.2) == [Report(Calling(91))]
    assert call.deadline == 30.2
    assert call.receive(sip(SipOther("proceeding")), now=0.2) == []
    assert call.receive(sip(SipRinging()), now=0.3) == [Report(Ringing())]
    assert call.receive(sip(SipRinging()), now=0.3) == []
    assert call.receive(sip(SipAccepted(), "answer"), now=0.4) == [Report(Answered("answer"))]
    assert call.deadline is None
    assert call.receive(WebRtcUp(91), now=0.5) == [Report(IceConnected())]
    heard = Media(91, is_receiving=True, silent_s=None)
    assert call.receive(heard, now=0.6) == [Report(MediaHeard())]
    silent = Media(91, is_receiving=False, silent_s=2)
    assert call.receive(silent, now=5.0) == [Report(MediaSilent(2))]
    slow = SlowLink(91, is_uplink=True, lost_packets=9)
    assert call.receive(slow, now=6.0) == [Report(LinkSlow(is_uplink=True, lost_packets=9))]
    assert call.receive(sip(SipHungUp(200, "Session Terminated")), now=7.0) == [
        Report(HungUp(200, "Session Terminated")),
        DETACH,
    ]
    assert call.is_closed
    assert call.receive(WebRtcDown(91, "Close PC"), now=7.1) == []


def test_early_media_brings_the_answer_once() -> None:
    call = call_in(CallState.TRYING)
    early = [Report(Answered("answer", is_early=True))]
    assert call.receive(sip(SipProgress(), "answer"), now=1.0) == early
    assert call.receive(sip(SipProgress(), "answer"), now=1.1) == []
    assert call.deadline == 30.0  # nobody has picked up yet
    assert call.receive(sip(SipAccepted()), now=2.0) == []
    assert call.state is CallState.TALKING
    assert call.deadline is None


def test_an_answer_without_sdp_ends_the_call() -> None:
    call = call_in(CallState.TRYING)
    assert call.receive(sip(SipAccepted()), now=1.0) == [
        Report(Lost("sip.answer_without_sdp")),
        HANG_UP,
    ]


@pytest.mark.parametrize(
    ("overtaker", "sdp", "news"),
    [
        (SipRinging(), None, Ringing()),
        (SipProgress(), "answer", Answered("answer", is_early=True)),
        (SipAccepted(), "answer", Answered("answer")),
    ],
)
def test_an_event_may_overtake_the_word_that_the_call_is_out(
    overtaker: SipEvent, sdp: str | None, news: Ringing | Answered
) -> None:
    call = call_in(CallState.CALLING)
    assert call.receive(sip(overtaker, sdp), now=0.1) == [Report(Calling(91)), Report(news)]
    assert call.receive(sip(SipCalling()), now=0.1) == []


@pytest.mark.parametrize(
    "state",
    [
        CallState.CALLING,
        CallState.TRYING,
        CallState.TALKING,
        CallState.CANCELLING,
        CallState.ENDING,
    ],
)
def test_the_far_end_ends_it(state: CallState) -> None:
    call = call_in(state)
    over = [Report(HungUp(404, "Not Found")), DETACH]
    assert call.receive(sip(SipHungUp(404, "Not Found")), now=1.0) == over
    assert call.is_closed


@pytest.mark.parametrize(
    ("state", "effects"),
    [
        (CallState.NEW, [Report(HungUp(None, "cancelled"))]),
        (CallState.ATTACHING, [Report(HungUp(None, "cancelled"))]),
        (CallState.REGISTERING, [Report(HungUp(None, "cancelled"))]),
        (CallState.CALLING, [Report(HungUp(None, "cancelled"))]),
        (CallState.TRYING, []),
        (CallState.TALKING, [HANG_UP]),
        (CallState.CANCELLING, []),
        (CallState.ENDING, []),
    ],
)
def test_hanging_up_in_each_state(state: CallState, effects: list[HandleEffect]) -> None:
    call = call_in(state)
    assert call.hang_up(now=1.0) == effects
    assert call.hang_up(now=1.0) == []


def test_hung_up_while_registering_it_detaches_between_two_requests() -> None:
    call = call_in(CallState.REGISTERING)
    call.hang_up(now=1.0)
    assert call.receive(sip(SipRegistered(5)), now=1.1) == [DETACH]


def test_hung_up_while_calling_it_says_so_once_the_far_end_lives() -> None:
    call = call_in(CallState.CALLING)
    call.hang_up(now=1.0)
    assert call.receive(sip(SipCalling()), now=1.1) == []
    assert call.receive(sip(SipRinging()), now=1.2) == [HANG_UP]
    assert call.receive(sip(SipHungUp(487, "Request Terminated")), now=1.3) == [DETACH]


def test_hung_up_while_calling_and_overtaken() -> None:
    call = call_in(CallState.CALLING)
    call.hang_up(now=1.0)
    assert call.receive(sip(SipAccepted(), "answer"), now=1.1) == [HANG_UP]


@pytest.mark.parametrize(
    "sign", [SipProceeding(), SipRinging(), SipProgress(), SipAccepted()], ids=repr
)
def test_a_hang_up_waits_for_a_sign_of_life(sign: SipEvent) -> None:
    call = call_in(CallState.TRYING)
    assert call.hang_up(now=1.0) == []
    assert call.deadline == 3.0
    assert call.receive(sip(sign, "answer"), now=1.5) == [HANG_UP]
    assert call.deadline == 4.5
    over = [Report(HungUp(487, "Request Terminated")), DETACH]
    assert call.receive(sip(SipHungUp(487, "Request Terminated")), now=1.6) == over


@pytest.mark.parametrize("sign", [SipProceeding(), SipRinging(), SipProgress()], ids=repr)
def test_a_far_end_that_lives_is_hung_up_on_at_once(sign: SipEvent) -> None:
    call = call_in(CallState.TRYING)
    call.receive(sip(sign), now=0.5)
    assert call.hang_up(now=1.0) == [HANG_UP]


@pytest.mark.parametrize("state", [CallState.REGISTERING, CallState.CALLING])
def test_hung_up_and_then_silence_still_detaches(state: CallState) -> None:
    call = call_in(state)
    call.hang_up(now=1.0)
    assert call.handle_timeout(now=8.0) == [DETACH]


@pytest.mark.parametrize(
    ("state", "at", "effects"),
    [
        (CallState.ATTACHING, 8.0, [Report(Lost("janus.no_reply"))]),
        (CallState.REGISTERING, 8.0, [Report(Lost("janus.no_reply")), DETACH]),
        (CallState.CALLING, 8.0, [Report(Lost("janus.no_reply")), DETACH]),
        (CallState.TRYING, 30.0, [Report(Lost("sip.no_answer"))]),
        (CallState.CANCELLING, 2.0, [HANG_UP]),
        (CallState.ENDING, 3.0, [Report(Lost("sip.hang_up_unconfirmed")), DETACH]),
    ],
)
def test_each_wait_has_an_end(state: CallState, at: float, effects: list[HandleEffect]) -> None:
    call = call_in(state)
    assert call.deadline == at
    assert call.handle_timeout(now=at - 0.1) == []
    assert call.handle_timeout(now=at) == effects


def test_an_unanswered_call_waits_for_its_end_quietly() -> None:
    call = call_in(CallState.TRYING)
    call.receive(sip(SipRinging()), now=0.1)
    assert call.handle_timeout(now=30.0) == [Report(Lost("sip.no_answer")), HANG_UP]
    assert call.receive(WebRtcDown(91, "Close PC"), now=30.1) == []
    assert call.receive(WebRtcUp(91), now=30.1) == []
    assert call.receive(sip(SipHungUp(487, "Request Terminated")), now=30.2) == [DETACH]


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("ICE failed", "media.ice_failed"),
        ("DTLS alert", "media.peer_closed"),
        ("DTLS-SRTP stack error", "media.lost"),
    ],
)
def test_lost_media_ends_the_sip_leg_too(reason: str, cause: str) -> None:
    call = call_in(CallState.TALKING)
    assert call.receive(WebRtcDown(91, reason), now=1.0) == [Report(Lost(cause)), HANG_UP]
    assert call.receive(sip(SipHungUp(200, "to BYE")), now=1.1) == [DETACH]


def test_lost_media_before_the_invite_is_out_detaches() -> None:
    call = call_in(CallState.CALLING)
    assert call.receive(WebRtcDown(91, "ICE failed"), now=1.0) == [
        Report(Lost("media.ice_failed")),
        DETACH,
    ]


@pytest.mark.parametrize("state", list(CallState)[1:-1])
def test_a_dead_handle_is_not_detached(state: CallState) -> None:
    call = call_in(state)
    assert call.receive(HandleDetached(91), now=1.0) == [Report(Lost("janus.handle_detached"))]


@pytest.mark.parametrize("state", list(CallState)[1:-1])
def test_a_lost_session_is_told_once(state: CallState) -> None:
    call = call_in(state)
    lost = [Report(Lost("janus.connection_lost"))]
    assert call.lose("janus.connection_lost") == lost
    assert call.lose("janus.connection_lost") == []
    assert call.hang_up(now=1.0) == []
    assert call.trickle(CANDIDATE) == []


@pytest.mark.parametrize("state", [CallState.REGISTERING, CallState.CALLING])
def test_the_plugin_refuses(state: CallState) -> None:
    call = call_in(state)
    failed = sip(SipFailed(453, "No such master session"))
    refused = [Report(Refused(453, "No such master session")), DETACH]
    assert call.receive(failed, now=1.0) == refused


def test_the_plugin_refuses_to_hang_up() -> None:
    call = call_in(CallState.TALKING)
    assert call.receive(sip(SipFailed(447, "x")), now=1.0) == []
    call.hang_up(now=1.0)
    failed = call.receive(sip(SipFailed(447, "Wrong state")), now=1.1)
    assert failed == [Report(Lost("sip.hang_up_unconfirmed")), DETACH]


def test_the_core_refuses() -> None:
    attaching = call_in(CallState.ATTACHING)
    refused = RequestRefused(Attach("c1"), 460, "No such plugin")
    assert attaching.receive(refused, now=1.0) == [Report(Refused(460, "No such plugin"))]
    talking = call_in(CallState.TALKING)
    refused = RequestRefused(PluginRequest({"request": "hangup"}), 459, "No such handle")
    assert talking.receive(refused, now=1.0) == [Report(Lost("janus.refused")), DETACH]


def test_the_core_does_not_answer() -> None:
    attaching = call_in(CallState.ATTACHING)
    lost = Report(Lost("janus.no_reply"))
    assert attaching.receive(RequestUnanswered(Attach("c1")), now=5.0) == [lost]
    registering = call_in(CallState.REGISTERING)
    assert registering.receive(RequestUnanswered(REGISTER), now=5.0) == [lost, DETACH]


def test_candidates_wait_for_the_invite_and_go_in_order() -> None:
    call = call_in(CallState.ATTACHING)
    first, second, third = (Candidate(f"candidate:{n}") for n in range(3))
    assert call.trickle(first) == []
    call.receive(Attached(91), now=0.1)
    call.receive(sip(SipRegistered(5)), now=0.1)
    assert call.trickle(second) == []
    assert call.receive(sip(SipCalling()), now=0.2) == [
        Report(Calling(91)),
        Ask(Trickle((first, second))),
    ]
    assert call.trickle(third) == [Ask(Trickle((third,)))]
    assert call.trickle(None) == [Ask(Trickle((), is_completed=True))]
    assert call.trickle(None) == []
    assert call.trickle(first) == []


def test_the_end_of_candidates_waits_too() -> None:
    call = call_in(CallState.CALLING)
    assert call.trickle(None) == []
    assert call.receive(sip(SipCalling()), now=0.2) == [
        Report(Calling(91)),
        Ask(Trickle((), is_completed=True)),
    ]


@pytest.mark.parametrize("state", [CallState.CALLING, CallState.TALKING])
def test_too_many_candidates_are_dropped_and_counted(state: CallState) -> None:
    call = call_in(state)
    for _ in range(CANDIDATES_MAX):
        call.trickle(CANDIDATE)
    for _ in range(1_000):
        assert call.trickle(CANDIDATE) == []
    assert call.candidates_dropped == 1_000


@pytest.mark.parametrize("is_refused", [False, True])
def test_a_lost_candidate_is_not_a_lost_call(is_refused: bool) -> None:
    call = call_in(CallState.TALKING)
    trickle = Trickle((CANDIDATE,))
    heard = RequestRefused(trickle, 466, "x") if is_refused else RequestUnanswered(trickle)
    assert call.receive(heard, now=1.0) == []
    assert call.state is CallState.TALKING


@pytest.mark.parametrize(
    ("uri", "headers"),
    [
        ("sip:7000@a\r\nX: y", {}),
        ("sip:7000@a", {"X-T": "a\r\nX: y"}),
        ("sip:7000@a", {"X-T\n": "a"}),
        ("sip:7000@a", {"X-T": "a" * 2_000}),
    ],
)
def test_a_plan_that_could_smuggle_or_be_cut_is_refused(uri: str, headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="SIP"):
        CallPlan("c1", uri, headers, 5, "sip:talkbutton@a", "offer")


INPUTS = st.sampled_from(
    [step for _, step in STEPS]
    + [sip(SipRinging()), sip(SipProgress(), "early"), sip(SipAccepted())]
    + [sip(SipProceeding()), sip(SipHungUp(200, "x")), sip(SipFailed(440, "x")), sip(SipOther("x"))]
    + [WebRtcUp(91), WebRtcDown(91, "x"), HandleDetached(91), Media(91, True, None)]
    + [RequestUnanswered(CALL), RequestRefused(CALL, 457, "x")]
    + ["hang up", "trickle", "timeout", "lose"]
)


@given(state=st.sampled_from(list(CallState)[1:-1]), inputs=st.lists(INPUTS, max_size=12))
def test_whatever_comes_there_is_one_end_and_one_detach(
    state: CallState, inputs: list[HandleInput | str]
) -> None:
    call = call_in(state)
    effects: list[HandleEffect] = []
    is_attached = state is not CallState.ATTACHING
    is_gone = False
    for n, step in enumerate(inputs):
        if isinstance(step, Attached):
            if call.state is not CallState.ATTACHING:
                continue  # a session attaches once
            is_attached = True
        if not call.is_closed and (step == "lose" or isinstance(step, HandleDetached)):
            is_gone = True
        effects += give(call, step, now=n * 10.0)
    for now in (1_000.0, 2_000.0, 3_000.0, 4_000.0):
        effects += call.hang_up(now=now) + call.handle_timeout(now=now)
    assert call.is_closed
    assert call.deadline is None
    told = [effect.news for effect in effects if isinstance(effect, Report)]
    assert sum(isinstance(news, HungUp | Lost | Refused) for news in told) == 1
    assert effects.count(DETACH) == int(is_attached and not is_gone)
    assert sum(isinstance(news, Answered) for news in told) <= 1
    assert isinstance(told[-1], HungUp | Lost | Refused)


def give(call: SipCall, step: HandleInput | str, *, now: float) -> list[HandleEffect]:
    match step:
        case "hang up":
            return call.hang_up(now=now)
        case "trickle":
            return call.trickle(CANDIDATE)
        case "timeout":
            return call.handle_timeout(now=now)
        case "lose":
            return call.lose("janus.connection_lost")
        case str():
            raise AssertionError(step)
        case _:
            return call.receive(step, now=now)
