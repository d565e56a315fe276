import pytest

from talkbutton.errors import SettingsError
from talkbutton.protocols.janus import (
    Ask,
    Lost,
    MasterReady,
    Refused,
    Report,
    SipIdentity,
    SipMaster,
)
from talkbutton.protocols.janus.handle import (
    Attached,
    HandleInput,
    RequestRefused,
    RequestUnanswered,
)
from talkbutton.protocols.janus.messages import (
    HandleDetached,
    PluginEvent,
    SipFailed,
    SipIncomingCall,
    SipOther,
    SipRegistered,
    WebRtcUp,
)
from talkbutton.protocols.janus.requests import Attach, Detach, PluginRequest

pytestmark = pytest.mark.core

IDENTITY = SipIdentity("sip:talkbutton@127.0.0.1:5060", "sip:127.0.0.1:5060", "hush")
REGISTER = PluginRequest(
    {
        "request": "register",
        "username": "sip:talkbutton@127.0.0.1:5060",
        "secret": "hush",
        "proxy": "sip:127.0.0.1:5060",
        "send_register": False,
    }
)


@pytest.fixture
def master() -> SipMaster:
    return SipMaster(IDENTITY)


@pytest.fixture
def ready(master: SipMaster) -> SipMaster:
    master.start(now=0.0)
    master.receive(Attached(91), now=0.1)
    master.receive(PluginEvent(91, "t", SipRegistered(5)), now=0.2)
    return master


def test_attaches_and_takes_the_identity(master: SipMaster) -> None:
    assert master.start(now=0.0) == [Ask(Attach("talkbutton-keeper"))]
    assert master.receive(Attached(91), now=0.1) == [Ask(REGISTER)]
    assert master.deadline == 8.0
    registered = PluginEvent(91, "t", SipRegistered(5))
    assert master.receive(registered, now=0.2) == [Report(MasterReady(5, 91))]
    assert master.deadline is None
    assert master.receive(registered, now=0.3) == []


def test_gives_up_on_a_silent_plugin(master: SipMaster) -> None:
    master.start(now=0.0)
    master.receive(Attached(91), now=0.1)
    assert master.handle_timeout(now=7.9) == []
    assert master.handle_timeout(now=8.0) == [Report(Lost("janus.no_reply")), Ask(Detach())]
    assert master.is_closed


@pytest.mark.parametrize(
    ("heard", "effects"),
    [
        (HandleDetached(91), [Report(Lost("janus.handle_detached"))]),
        (RequestUnanswered(REGISTER), [Report(Lost("janus.no_reply")), Ask(Detach())]),
        (RequestRefused(REGISTER, 459, "gone"), [Report(Refused(459, "gone")), Ask(Detach())]),
    ],
)
def test_a_loss_is_told_once(ready: SipMaster, heard: HandleInput, effects: list[object]) -> None:
    assert ready.receive(heard, now=1.0) == effects
    assert ready.receive(heard, now=1.0) == []
    assert ready.lose("janus.connection_lost") == []


def test_nothing_is_detached_when_the_session_is_gone(ready: SipMaster) -> None:
    assert ready.lose("janus.connection_lost") == [Report(Lost("janus.connection_lost"))]


def test_a_refused_registration_is_told(master: SipMaster) -> None:
    master.start(now=0.0)
    master.receive(Attached(91), now=0.1)
    failed = PluginEvent(91, "t", SipFailed(440, "Invalid address"))
    assert master.receive(failed, now=0.2) == [
        Report(Refused(440, "Invalid address")),
        Ask(Detach()),
    ]


def test_nobody_may_call_the_gateway(ready: SipMaster) -> None:
    decline = PluginRequest({"request": "decline", "code": 403})
    assert ready.receive(PluginEvent(91, None, SipIncomingCall()), now=1.0) == [Ask(decline)]


@pytest.mark.parametrize("heard", [PluginEvent(91, None, SipOther("x")), WebRtcUp(91)])
def test_strays_change_nothing(ready: SipMaster, heard: HandleInput) -> None:
    assert ready.receive(heard, now=1.0) == []


@pytest.mark.parametrize("password", ["x" * 91, 'quo"te', "back\\slash", "new\nline", "ünïcode"])
def test_a_password_that_janus_would_spoil_is_refused(password: str) -> None:
    with pytest.raises(SettingsError) as refused:
        SipIdentity("sip:a@b", "sip:b", password)
    assert password not in str(refused.value)


def test_the_password_is_not_shown() -> None:
    assert "hush" not in repr(IDENTITY)
