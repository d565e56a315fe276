import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.errors import ProtocolError
from talkbutton.protocols.janus import Message, parse_message
from talkbutton.protocols.janus.messages import (
    Ack,
    Failure,
    HandleDetached,
    Media,
    OtherMessage,
    PluginEvent,
    SessionTimedOut,
    SipAccepted,
    SipCalling,
    SipEvent,
    SipFailed,
    SipHungUp,
    SipIncomingCall,
    SipOther,
    SipProceeding,
    SipProgress,
    SipRegistered,
    SipRinging,
    SlowLink,
    Success,
    WebRtcDown,
    WebRtcUp,
)

pytestmark = pytest.mark.core


def parse(**fields: Any) -> Message:
    return parse_message(json.dumps(fields))


def parse_sip(content: dict[str, Any], **fields: Any) -> PluginEvent:
    plugindata = {"plugin": "janus.plugin.sip", "data": content}
    event = parse(janus="event", session_id=1, sender=9, plugindata=plugindata, **fields)
    assert isinstance(event, PluginEvent)
    return event


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"janus": "ack", "session_id": 1, "transaction": "t"}, Ack("t")),
        ({"janus": "success", "transaction": "t", "data": {"id": 7}}, Success("t", 7)),
        ({"janus": "success", "session_id": 1, "transaction": "t"}, Success("t", None)),
        (
            {"janus": "error", "transaction": "t", "error": {"code": 403, "reason": "No"}},
            Failure("t", 403, "No"),
        ),
        ({"janus": "error", "error": {"code": 454, "reason": "J"}}, Failure(None, 454, "J")),
        ({"janus": "timeout", "session_id": 7}, SessionTimedOut(7)),
        ({"janus": "timeout"}, SessionTimedOut(None)),
        ({"janus": "detached", "sender": 9}, HandleDetached(9)),
        ({"janus": "webrtcup", "sender": 9}, WebRtcUp(9)),
        ({"janus": "hangup", "sender": 9, "reason": "ICE failed"}, WebRtcDown(9, "ICE failed")),
        ({"janus": "hangup", "sender": 9}, WebRtcDown(9, "")),
        (
            {"janus": "media", "sender": 9, "type": "audio", "receiving": False, "seconds": 2},
            Media(9, is_receiving=False, silent_s=2),
        ),
        (
            {"janus": "media", "sender": 9, "type": "audio", "receiving": True},
            Media(9, is_receiving=True, silent_s=None),
        ),
        (
            {"janus": "slowlink", "sender": 9, "media": "audio", "uplink": True, "lost": 12},
            SlowLink(9, is_uplink=True, lost_packets=12),
        ),
        ({"janus": "server_info", "name": "x"}, OtherMessage("server_info")),
    ],
)
def test_core_messages(fields: dict[str, Any], message: Message) -> None:
    assert parse(**fields) == message


@pytest.mark.parametrize(
    ("content", "event"),
    [
        ({"result": {"event": "registered", "master_id": 5}}, SipRegistered(5)),
        ({"result": {"event": "registered"}}, SipRegistered(None)),
        ({"result": {"event": "calling"}}, SipCalling()),
        ({"result": {"event": "ringing"}}, SipRinging()),
        ({"result": {"event": "progress", "username": "sip:x"}}, SipProgress()),
        ({"result": {"event": "accepted", "username": "sip:x"}}, SipAccepted()),
        ({"result": {"event": "incomingcall", "username": "sip:x"}}, SipIncomingCall()),
        (
            {"result": {"event": "hangup", "code": 404, "reason": "Not Found"}},
            SipHungUp(404, "Not Found"),
        ),
        ({"result": {"event": "hangup"}}, SipHungUp(None, "")),
        ({"result": {"event": "proceeding", "code": 183}}, SipProceeding()),
        ({"result": {"event": "hangingup"}}, SipOther("hangingup")),
        ({"error_code": 453, "error": "No such master"}, SipFailed(453, "No such master")),
        ({}, SipOther("")),
    ],
)
def test_sip_events(content: dict[str, Any], event: SipEvent) -> None:
    assert parse_sip({"sip": "event", **content}) == PluginEvent(9, None, event)


def test_an_event_carries_its_transaction_and_sdp() -> None:
    event = parse_sip(
        {"result": {"event": "accepted"}},
        transaction="t",
        jsep={"type": "answer", "sdp": "v=0\r\n"},
    )
    assert event == PluginEvent(9, "t", SipAccepted(), "v=0\r\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '"ack"',
        "{}",
        '{"janus":3}',
        "[" * 100_000,
        "1" * 5_000,
        '{"janus":"ack"}',
        '{"janus":"success","transaction":"t","data":{"id":"7"}}',
        '{"janus":"success","transaction":"t","data":{"id":true}}',
        '{"janus":"success","transaction":"t","data":{"id":-1}}',
        '{"janus":"success","transaction":"t","data":{"id":9007199254740992}}',
        '{"janus":"error","error":{"code":"403","reason":"x"}}',
        '{"janus":"webrtcup"}',
        '{"janus":"webrtcup","sender":1.5}',
        '{"janus":"media","sender":1,"receiving":"yes"}',
        '{"janus":"slowlink","sender":1}',
        '{"janus":"event","sender":1}',
        '{"janus":"event","sender":1,"plugindata":{"data":[]}}',
        '{"janus":"event","plugindata":{"data":{}}}',
        '{"janus":"event","sender":1,"plugindata":{"data":{}},"jsep":{"type":"answer"}}',
    ],
)
def test_what_janus_may_not_send_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse_message(text)


FIELD_NAMES = st.sampled_from(
    [
        "janus",
        "transaction",
        "sender",
        "data",
        "id",
        "error",
        "code",
        "reason",
        "plugindata",
        "jsep",
        "sdp",
        "result",
        "event",
        "error_code",
        "receiving",
        "uplink",
        "session_id",
    ]
)
KINDS = st.sampled_from(
    [
        "ack",
        "success",
        "error",
        "event",
        "timeout",
        "detached",
        "webrtcup",
        "hangup",
        "media",
        "slowlink",
        "trickle",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELD_NAMES, inner, max_size=6),
    max_leaves=12,
)


@given(kind=KINDS, fields=st.dictionaries(FIELD_NAMES, JSON, max_size=8))
def test_any_json_is_a_message_or_a_protocol_error(kind: str, fields: dict[str, Any]) -> None:
    try:
        message = parse_message(json.dumps(fields | {"janus": kind}))
    except ProtocolError:
        return
    assert isinstance(message, Message)
