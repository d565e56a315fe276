"""One call as lists of inputs and effects."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.protocols.ari.call import AriCall, CallState
from talkbutton.protocols.ari.commands import (
    AddChannel,
    Answer,
    Command,
    CreateBridge,
    CreateExternalMedia,
    DestroyBridge,
    GetVariable,
    HangUp,
)
from talkbutton.protocols.ari.events import (
    ChannelDestroyed,
    ChannelDtmfReceived,
    ChannelHangupRequest,
    StasisEnd,
    StasisStart,
)
from talkbutton.protocols.ari.messages import Response
from talkbutton.protocols.ari.names import bridge_id_of, media_channel_id_of
from talkbutton.protocols.ari.steps import (
    Announce,
    BotFinished,
    Cause,
    Effect,
    Ended,
    HangUpAsked,
    Input,
    LinkLost,
    LinkRestored,
    MediaFailed,
    MediaVerified,
    PinPeer,
    Replied,
    Report,
    StartBot,
    StopBot,
    WarnBot,
    cause_of,
)

pytestmark = pytest.mark.core

CALL_ID = "0193" * 8
CALLER = "1795414467.1"
MEDIA = media_channel_id_of(CALL_ID)
BRIDGE = bridge_id_of(CALL_ID)

ANSWER = Answer(CALLER)
CREATE_BRIDGE = CreateBridge(BRIDGE)
CREATE_MEDIA = CreateExternalMedia(MEDIA, "127.0.0.1:27500", "ulaw")
ADD_CALLER = AddChannel(BRIDGE, CALLER)
ADD_MEDIA = AddChannel(BRIDGE, MEDIA)
GET_ADDRESS = GetVariable(MEDIA, "UNICASTRTP_LOCAL_ADDRESS")
GET_PORT = GetVariable(MEDIA, "UNICASTRTP_LOCAL_PORT")
HANG_UP_ALL: list[Command] = [HangUp(CALLER), HangUp(MEDIA), DestroyBridge(BRIDGE)]

VARIABLES = {"UNICASTRTP_LOCAL_ADDRESS": "127.0.0.1", "UNICASTRTP_LOCAL_PORT": "27418"}


def make_call(*, warning_s: int = 0) -> AriCall:
    return AriCall(
        call_id=CALL_ID,
        channel_id=CALLER,
        external_host="127.0.0.1:27500",
        media_format="ulaw",
        duration_max_s=600,
        warning_s=warning_s,
    )


def ok(command: Command, body: object = None) -> Replied:
    return Replied(command, Response("r", 200, "OK", body))


def refused(command: Command, status: int) -> Replied:
    return Replied(command, Response("r", status, "No"))


def acts(effects: Iterable[Effect]) -> list[Effect]:
    """Return the effects that are not mere reports."""
    return [effect for effect in effects if not isinstance(effect, Report)]


def reports(effects: Iterable[Effect]) -> list[str]:
    return [effect.name for effect in effects if isinstance(effect, Report)]


SETUP: list[Input] = [
    ok(ANSWER),
    ok(CREATE_BRIDGE, {"technology": "simple_bridge"}),
    ok(CREATE_MEDIA, {"channelvars": VARIABLES}),
    StasisStart(MEDIA),
    ok(ADD_CALLER),
    ok(ADD_MEDIA),
]


def call_after(steps: Iterable[Input], *, now: float = 0.1) -> AriCall:
    call = make_call()
    call.start(now=0.0)
    for step in steps:
        call.receive(step, now=now)
    return call


@pytest.fixture
def talking() -> AriCall:
    call = call_after([*SETUP, MediaVerified()])
    assert call.state is CallState.TALKING
    return call


def test_sets_up_verifies_and_lets_the_bot_speak() -> None:
    call = make_call()
    assert call.start(now=0.0) == [ANSWER, CREATE_BRIDGE, CREATE_MEDIA]
    said = [acts(call.receive(step, now=0.1)) for step in SETUP]
    assert said == [[], [ADD_CALLER], [PinPeer("127.0.0.1", 27418)], [ADD_MEDIA], [], []]
    assert call.state is CallState.VERIFYING
    assert call.receive(MediaVerified(), now=0.4) == [
        Report("media.verified", "bridge", {"wait_ms": 300}),
        StartBot(),
    ]


def test_reports_each_step_once() -> None:
    call = make_call()
    effects = call.start(now=0.0)
    for step in [*SETUP, MediaVerified(), MediaVerified()]:
        effects += call.receive(step, now=0.1)
    assert reports(effects) == [
        "channel.answered",
        "bridge.created",
        "external_media.started",
        "media.started",
        "media.verified",
    ]


def test_a_channel_joins_only_after_its_own_stasis_start() -> None:
    call = call_after([ok(ANSWER), ok(CREATE_BRIDGE)])
    effects = call.receive(ok(CREATE_MEDIA, {"channelvars": VARIABLES}), now=0.1)
    assert ADD_MEDIA not in effects
    assert call.receive(StasisStart(MEDIA), now=0.1) == [ADD_MEDIA]


def test_a_channel_waits_for_the_bridge() -> None:
    call = call_after([StasisStart(MEDIA), ok(ANSWER)])
    assert acts(call.receive(ok(CREATE_BRIDGE), now=0.1)) == [ADD_CALLER, ADD_MEDIA]


def test_media_may_flow_before_asterisk_confirms_the_last_step() -> None:
    call = call_after([*SETUP[:-1], MediaVerified()])
    assert call.state is CallState.SETTING_UP
    assert StartBot() in call.receive(SETUP[-1], now=0.1)


def test_another_calls_channel_changes_nothing(talking: AriCall) -> None:
    other = media_channel_id_of("0" * 32)
    for step in (StasisStart(other), StasisEnd(other), ChannelDestroyed(other, 16)):
        assert talking.receive(step, now=1.0) == []
    assert talking.receive(ChannelDtmfReceived(CALLER, "5", 100), now=1.0) == []
    assert talking.state is CallState.TALKING


@pytest.mark.parametrize(
    "body", [None, {}, {"channelvars": {}}, {"channelvars": dict.fromkeys(VARIABLES, "")}]
)
def test_asks_for_the_media_address_until_it_is_there(body: object) -> None:
    call = call_after([ok(ANSWER), ok(CREATE_BRIDGE), StasisStart(MEDIA)])
    assert acts(call.receive(ok(CREATE_MEDIA, body), now=1.0)) == []
    assert call.handle_timeout(now=1.06) == [GET_ADDRESS, GET_PORT]
    assert call.receive(refused(GET_ADDRESS, 404), now=1.1) == []
    assert call.receive(ok(GET_PORT, {"value": "27418"}), now=1.1) == []
    assert call.handle_timeout(now=1.2) == [GET_ADDRESS]
    assert acts(call.receive(ok(GET_ADDRESS, {"value": "127.0.0.1"}), now=1.3)) == [
        PinPeer("127.0.0.1", 27418)
    ]


@pytest.mark.parametrize("port", ["", "0", "65536", "-1", "x", "1e3", 27418])
def test_does_not_believe_a_port_that_is_none(port: object) -> None:
    variables = {"UNICASTRTP_LOCAL_ADDRESS": "127.0.0.1", "UNICASTRTP_LOCAL_PORT": port}
    call = call_after([ok(CREATE_MEDIA, {"channelvars": variables})], now=1.0)
    assert call.handle_timeout(now=1.06) == [GET_PORT]


@pytest.mark.parametrize(
    ("step", "cause"),
    [
        (ChannelHangupRequest(CALLER), "visitor_hung_up"),
        (StasisEnd(CALLER), "visitor_hung_up"),
        (ChannelHangupRequest(MEDIA), "media_lost"),
        (StasisEnd(MEDIA), "media_lost"),
        (MediaFailed(), "media_lost"),
        (BotFinished("bot_hung_up"), "bot_hung_up"),
        (BotFinished("bot_unavailable"), "bot_unavailable"),
        (HangUpAsked("visitor_hung_up"), "visitor_hung_up"),
        (HangUpAsked("gateway_unavailable"), "gateway_unavailable"),
    ],
)
@pytest.mark.parametrize("steps_before", range(len(SETUP) + 2))
def test_every_way_out_from_every_state(steps_before: int, step: Input, cause: Cause) -> None:
    call = call_after([*SETUP, MediaVerified()][:steps_before])
    assert call.receive(step, now=2.0) == [Announce(cause), StopBot(), *HANG_UP_ALL]
    assert call.receive(ok(HANG_UP_ALL[0]), now=2.1) == []
    assert call.receive(refused(HANG_UP_ALL[2], 404), now=2.1) == []
    assert call.receive(ok(HANG_UP_ALL[1]), now=2.1) == [Ended(cause, 2000, is_clean=True)]
    assert call.deadline is None


def test_what_is_destroyed_already_is_not_hung_up(talking: AriCall) -> None:
    assert acts(talking.receive(ChannelDestroyed(CALLER, 16), now=2.0)) == [
        Announce("visitor_hung_up"),
        StopBot(),
        *HANG_UP_ALL[1:],
    ]


def test_one_cause_once(talking: AriCall) -> None:
    talking.receive(BotFinished("bot_hung_up"), now=2.0)
    for step in (StasisEnd(CALLER), ChannelDestroyed(CALLER, 16), HangUpAsked("internal")):
        assert talking.receive(step, now=2.0) == []
    effects = [e for each in HANG_UP_ALL for e in talking.receive(ok(each), now=2.1)]
    assert effects == [Ended("bot_hung_up", 2000, is_clean=True)]


def test_a_closed_call_says_nothing(talking: AriCall) -> None:
    talking.receive(BotFinished("bot_hung_up"), now=2.0)
    for each in HANG_UP_ALL:
        talking.receive(ok(each), now=2.1)
    for step in (*SETUP, MediaVerified(), StasisEnd(CALLER), LinkLost()):
        assert talking.receive(step, now=3.0) == []
    assert talking.handle_timeout(now=9_999.0) == []


def test_late_answers_of_the_setup_do_not_end_the_teardown() -> None:
    call = call_after([])
    call.receive(StasisEnd(CALLER), now=0.1)
    for command in (ANSWER, CREATE_BRIDGE, CREATE_MEDIA):
        assert call.receive(ok(command), now=0.2) == []
    assert call.state is CallState.ENDING


@pytest.mark.parametrize("command", [ANSWER, CREATE_BRIDGE, CREATE_MEDIA, ADD_CALLER, ADD_MEDIA])
@pytest.mark.parametrize("status", [404, 422, 500])
def test_every_failing_request_ends_the_call(command: Command, status: int) -> None:
    call = call_after(step for step in SETUP if step != ok(command))
    is_about_caller = command in (ANSWER, ADD_CALLER) and status < 500
    cause: Cause = "visitor_hung_up" if is_about_caller else "line_unavailable"
    effects = call.receive(refused(command, status), now=0.2)
    assert reports(effects) == ["line.request_refused"]
    assert acts(effects) == [Announce(cause), StopBot(), *HANG_UP_ALL]


@pytest.mark.parametrize(
    "command", [ANSWER, CREATE_BRIDGE, CREATE_MEDIA, ADD_CALLER, ADD_MEDIA, GET_PORT]
)
def test_every_unanswered_request_ends_the_call(command: Command) -> None:
    call = call_after([])
    effects = call.receive(Replied(command, None), now=0.2)
    assert effects == [Announce("line_unavailable"), StopBot(), *HANG_UP_ALL]


def test_a_teardown_nobody_answers_is_over_too(talking: AriCall) -> None:
    talking.receive(BotFinished("bot_hung_up"), now=2.0)
    assert talking.deadline == pytest.approx(4.0)
    assert talking.handle_timeout(now=3.9) == []
    assert talking.handle_timeout(now=4.0) == [Ended("bot_hung_up", 2000, is_clean=False)]


def test_a_setup_that_does_not_come_to_an_end_is_ended() -> None:
    call = call_after(SETUP[:-1])
    assert call.deadline == pytest.approx(5.0)
    assert Announce("line_unavailable") in call.handle_timeout(now=5.0)


def test_silence_is_reported_then_ends_the_call() -> None:
    call = call_after(SETUP, now=0.0)
    assert call.deadline == pytest.approx(2.0)
    silent = Report("media.went_silent", "asterisk", {"wait_ms": 2000})
    assert call.handle_timeout(now=2.0) == [silent]
    assert call.handle_timeout(now=9.9) == []
    assert acts(call.handle_timeout(now=10.0))[0] == Announce("media_lost")


def test_media_that_comes_late_is_good_enough() -> None:
    call = call_after(SETUP, now=0.0)
    call.handle_timeout(now=2.0)
    assert StartBot() in call.receive(MediaVerified(), now=3.0)
    assert call.deadline == pytest.approx(600.0)


def test_the_ticket_limits_the_duration(talking: AriCall) -> None:
    assert talking.deadline == pytest.approx(600.0)
    assert talking.handle_timeout(now=600.0)[0] == Announce("duration_limit")


def test_the_bot_is_told_once_before_the_longest_duration() -> None:
    call = make_call(warning_s=30)
    call.start(now=0.0)
    for step in [*SETUP, MediaVerified()]:
        call.receive(step, now=0.1)
    assert call.deadline == pytest.approx(570.0)
    assert call.handle_timeout(now=570.0) == [WarnBot(30)]
    assert call.state is CallState.TALKING
    assert call.deadline == pytest.approx(600.0)


@pytest.mark.parametrize("warning_s", [0, 600, 900])
def test_nobody_is_told_where_that_makes_no_sense(warning_s: int) -> None:
    call = make_call(warning_s=warning_s)
    call.start(now=0.0)
    assert call.handle_timeout(now=599.0)[0] == Announce("line_unavailable")


def test_a_short_break_of_the_link_is_lived_through(talking: AriCall) -> None:
    assert talking.receive(LinkLost(), now=10.0) == []
    assert talking.deadline == pytest.approx(20.0)
    assert talking.receive(LinkRestored(frozenset({CALLER, MEDIA})), now=15.0) == []
    assert talking.handle_timeout(now=20.0) == []
    assert talking.state is CallState.TALKING


@pytest.mark.parametrize(
    ("alive", "cause"),
    [
        (frozenset[str](), "line_unavailable"),
        (frozenset({MEDIA}), "line_unavailable"),
        (frozenset({CALLER}), "media_lost"),
    ],
)
def test_what_did_not_live_through_the_break_is_ended(
    talking: AriCall, alive: frozenset[str], cause: Cause
) -> None:
    talking.receive(LinkLost(), now=10.0)
    assert talking.receive(LinkRestored(alive), now=15.0)[0] == Announce(cause)


def test_a_long_break_of_the_link_ends_the_call(talking: AriCall) -> None:
    talking.receive(LinkLost(), now=10.0)
    assert talking.handle_timeout(now=20.0)[0] == Announce("line_unavailable")


def test_calls_too_early_are_harmless(talking: AriCall) -> None:
    assert talking.handle_timeout(now=599.9) == []


@pytest.mark.parametrize("text", [None, 7, "", "hacked"])
def test_an_unknown_cause_is_replaced(text: object) -> None:
    assert cause_of(text, "internal") == "internal"
    assert cause_of("media_lost", "internal") == "media_lost"


ANY_INPUT = st.sampled_from(
    [
        *SETUP,
        MediaVerified(),
        MediaFailed(),
        StasisEnd(CALLER),
        StasisEnd(MEDIA),
        ChannelDestroyed(CALLER, 16),
        ChannelDestroyed(MEDIA, 16),
        BotFinished("bot_hung_up"),
        HangUpAsked("visitor_hung_up"),
        LinkLost(),
        LinkRestored(frozenset({CALLER, MEDIA})),
        LinkRestored(frozenset()),
        refused(ADD_MEDIA, 500),
        refused(GET_PORT, 404),
        *(ok(command) for command in HANG_UP_ALL),
        *(Replied(command, None) for command in HANG_UP_ALL),
    ]
)


@given(st.lists(st.tuples(ANY_INPUT, st.floats(0, 3)), max_size=40))
def test_whatever_comes_it_ends_once_with_one_cause(steps: list[tuple[Input, float]]) -> None:
    call = make_call()
    now = 0.0
    effects = call.start(now=now)
    for step, pause_s in steps:
        effects += call.receive(step, now=now)
        now += pause_s
        effects += call.handle_timeout(now=now)
    while call.deadline is not None:
        effects += call.handle_timeout(now=call.deadline)
    causes = [effect.cause for effect in effects if isinstance(effect, Announce | Ended)]
    assert len(causes) == 2
    assert len(set(causes)) == 1
    assert effects.count(StartBot()) <= 1
    assert effects.count(StopBot()) == 1
    assert effects.count(ADD_CALLER) <= 1
    assert effects.count(DestroyBridge(BRIDGE)) == 1
    announced = next(i for i, effect in enumerate(effects) if isinstance(effect, Announce))
    assert not any(isinstance(effect, HangUp) for effect in effects[:announced])
