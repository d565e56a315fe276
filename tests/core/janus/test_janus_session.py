from itertools import count

import pytest

from talkbutton.protocols.janus import (
    JanusSession,
    Lost,
    Refused,
    Send,
    SessionLost,
    SessionOpened,
    SessionState,
    SipIdentity,
    SipMaster,
    Tell,
)
from talkbutton.protocols.janus.messages import (
    Ack,
    Failure,
    HandleDetached,
    Message,
    OtherMessage,
    PluginEvent,
    SessionTimedOut,
    SipRegistered,
    Success,
)
from talkbutton.protocols.janus.news import MasterReady
from talkbutton.protocols.janus.requests import Attach, Create, Detach, KeepAlive, PluginRequest
from talkbutton.protocols.janus.session import SessionEffect

pytestmark = pytest.mark.core

ATTACH = Attach("talkbutton-keeper")


def machine() -> SipMaster:
    return SipMaster(SipIdentity("sip:talkbutton@a", "sip:a", "password"))


@pytest.fixture
def session() -> JanusSession:
    ids = count(1)
    return JanusSession(new_transaction=lambda: f"t{next(ids)}")


@pytest.fixture
def ready(session: JanusSession) -> JanusSession:
    session.start(now=0.0)
    session.receive(Success("t1", 7), now=0.0)
    return session


def requests(effects: list[SessionEffect]) -> list[Send]:
    return [effect for effect in effects if isinstance(effect, Send)]


def test_opens_by_create(session: JanusSession) -> None:
    assert session.start(now=0.0) == [Send(Create(), "t1")]
    assert session.deadline == 5.0
    assert session.receive(Success("t1", 7), now=0.1) == [SessionOpened(7)]
    assert session.state is SessionState.READY


def test_keeps_the_session_alive(ready: JanusSession) -> None:
    assert ready.deadline == 10.0
    assert ready.handle_timeout(now=9.9) == []
    assert ready.handle_timeout(now=10.0) == [Send(KeepAlive(), "t2", 7)]
    assert ready.receive(Ack("t2"), now=10.5) == []
    assert ready.deadline == 20.5


@pytest.mark.parametrize(
    ("reply", "lost"),
    [
        (Failure("t2", 403, "Unauthorized"), SessionLost("janus.refused", 403, "Unauthorized")),
        (Failure("t2", 458, "None"), SessionLost("janus.session_timed_out", 458, "None")),
        (SessionTimedOut(7), SessionLost("janus.session_timed_out")),
        (SessionTimedOut(None), SessionLost("janus.session_timed_out")),
    ],
)
def test_tells_the_loss_to_every_owner_and_once(
    ready: JanusSession, reply: Message, lost: SessionLost
) -> None:
    ready.handle_timeout(now=10.0)
    ready.add("a", machine(), now=10.0)
    ready.add("b", machine(), now=10.0)
    told = [Tell("a", Lost(lost.cause)), Tell("b", Lost(lost.cause)), lost]
    assert ready.receive(reply, now=10.1) == told
    assert ready.receive(reply, now=10.2) == []
    assert ready.lose("janus.connection_lost") == []
    assert (ready.deadline, ready.handles, ready.state) == (None, 0, SessionState.CLOSED)
    assert ready.handle_timeout(now=99.0) == []


def test_a_wrong_secret_is_a_refusal(session: JanusSession) -> None:
    session.start(now=0.0)
    lost = SessionLost("janus.refused", 403, "Unauthorized request")
    assert session.receive(Failure("t1", 403, "Unauthorized request"), now=0.1) == [lost]


@pytest.mark.parametrize("is_ready", [False, True])
def test_silence_is_a_loss(session: JanusSession, is_ready: bool) -> None:
    session.start(now=0.0)
    if is_ready:
        session.receive(Success("t1", 7), now=0.0)
        session.handle_timeout(now=10.0)
    assert session.handle_timeout(now=15.0) == [SessionLost("janus.no_reply")]


def test_somebody_elses_session_may_time_out(ready: JanusSession) -> None:
    assert ready.receive(SessionTimedOut(8), now=1.0) == []
    assert ready.state is SessionState.READY


def test_each_machine_gets_its_own_handle_and_events(ready: JanusSession) -> None:
    assert ready.add("a", machine(), now=1.0) == [Send(ATTACH, "t2", 7)]
    assert ready.add("b", machine(), now=1.0) == [Send(ATTACH, "t3", 7)]
    [register_b] = requests(ready.receive(Success("t3", 92), now=1.1))
    [register_a] = requests(ready.receive(Success("t2", 91), now=1.1))
    assert (register_a.handle_id, register_b.handle_id) == (91, 92)
    event = PluginEvent(92, register_b.transaction, SipRegistered(5))
    assert ready.receive(event, now=1.2) == [Tell("b", MasterReady(5, 92))]
    assert ready.receive(PluginEvent(93, None, SipRegistered(5)), now=1.2) == []


def test_an_event_may_overtake_its_ack(ready: JanusSession) -> None:
    ready.add("a", machine(), now=1.0)
    [register] = requests(ready.receive(Success("t2", 91), now=1.0))
    ready.receive(PluginEvent(91, register.transaction, SipRegistered(5)), now=1.0)
    assert ready.handle_timeout(now=6.1) == []  # nothing is awaited any more
    assert ready.receive(Ack(register.transaction), now=6.2) == []


def test_a_refused_attach_ends_only_its_machine(ready: JanusSession) -> None:
    ready.add("a", machine(), now=1.0)
    failure = Failure("t2", 460, "No such plugin")
    assert ready.receive(failure, now=1.1) == [Tell("a", Refused(460, "No such plugin"))]
    assert (ready.handles, ready.state) == (0, SessionState.READY)


def test_a_handle_that_comes_too_late_is_detached(ready: JanusSession) -> None:
    ready.add("a", machine(), now=1.0)
    assert ready.handle_timeout(now=6.0) == [Tell("a", Lost("janus.no_reply"))]
    assert ready.receive(Success("t2", 91), now=7.0) == [Send(Detach(), "t3", 7, 91)]


def test_janus_that_answers_no_attach_is_lost(ready: JanusSession) -> None:
    for n in range(11):
        ready.add(f"a{n}", machine(), now=1.0)
    effects = ready.handle_timeout(now=6.0)
    assert effects[-1] == SessionLost("janus.no_reply")
    assert effects[:-1] == [Tell(f"a{n}", Lost("janus.no_reply")) for n in range(11)]


def test_an_unanswered_request_ends_only_its_machine(ready: JanusSession) -> None:
    ready.add("a", machine(), now=1.0)
    ready.receive(Success("t2", 91), now=1.0)
    assert ready.handle_timeout(now=6.0) == [
        Tell("a", Lost("janus.no_reply")),
        Send(Detach(), "t4", 7, 91),
    ]
    assert ready.state is SessionState.READY
    assert ready.receive(PluginEvent(91, "t3", SipRegistered(5)), now=6.1) == []


def test_a_machines_own_deadline_counts(ready: JanusSession) -> None:
    ready.add("a", machine(), now=1.0)
    [register] = requests(ready.receive(Success("t2", 91), now=1.0))
    assert isinstance(register.request, PluginRequest)
    ready.receive(Ack(register.transaction), now=1.0)  # taken, but nothing comes of it
    assert ready.deadline == 9.0
    assert ready.handle_timeout(now=9.0)[0] == Tell("a", Lost("janus.no_reply"))


def test_a_dead_handle_is_not_detached(ready: JanusSession) -> None:
    ready.add("a", machine(), now=1.0)
    ready.receive(Success("t2", 91), now=1.0)
    lost = [Tell("a", Lost("janus.handle_detached"))]
    assert ready.receive(HandleDetached(91), now=2.0) == lost
    assert ready.receive(HandleDetached(91), now=2.0) == []
    assert ready.handles == 0


@pytest.mark.parametrize(
    "stray",
    [
        Ack("t99"),
        Ack("t2"),
        Success("t99", 5),
        Success("t1", 5),
        Failure("t99", 458, "x"),
        Failure(None, 454, "x"),
        OtherMessage("trickle"),
        HandleDetached(3),
    ],
)
def test_strays_change_nothing(ready: JanusSession, stray: Message) -> None:
    ready.add("a", machine(), now=1.0)
    assert ready.receive(stray, now=1.1) == []
    assert (ready.session_id, ready.handles, ready.deadline) == (7, 1, 6.0)
