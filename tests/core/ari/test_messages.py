import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.errors import ProtocolError
from talkbutton.protocols.ari.commands import HangUp, only_events_we_know
from talkbutton.protocols.ari.events import (
    ApplicationReplaced,
    ChannelDestroyed,
    ChannelDtmfReceived,
    ChannelHangupRequest,
    Event,
    StasisEnd,
    StasisStart,
)
from talkbutton.protocols.ari.messages import Request, Response, encode_request, parse_message

pytestmark = pytest.mark.core

CHANNEL = {"id": "1795414467.1", "name": "PJSIP/talkbutton-00000001", "state": "Ring"}


def test_encodes_method_uri_query_and_body() -> None:
    request = Request("POST", "channels/externalMedia", {"app": "a&b", "format": "ulaw"}, {"x": 1})
    assert json.loads(encode_request(request, "r7")) == {
        "type": "RESTRequest",
        "request_id": "r7",
        "method": "POST",
        "uri": "channels/externalMedia",
        "query_strings": [{"name": "app", "value": "a&b"}, {"name": "format", "value": "ulaw"}],
        "content_type": "application/json",
        "message_body": '{"x":1}',
    }


def test_leaves_out_query_and_body_that_are_not_there() -> None:
    encoded = json.loads(encode_request(Request("GET", "channels"), "r1"))
    assert encoded == {
        "type": "RESTRequest",
        "request_id": "r1",
        "method": "GET",
        "uri": "channels",
    }


def test_a_channel_id_cannot_name_another_resource() -> None:
    assert HangUp("../bridges/x").request().uri == "channels/..%2Fbridges%2Fx"


def test_the_event_filter_lets_answers_through() -> None:
    body = only_events_we_know().body
    assert body is not None
    allowed = {each["type"] for each in body["allowed"]}
    assert allowed > {"RESTResponse", "StasisStart", "ApplicationReplaced"}


def test_reads_a_response_with_its_body() -> None:
    text = (
        '{"type":"RESTResponse","transaction_id":"","request_id":"r3","status_code":200,'
        '"reason_phrase":"OK","uri":"channels","content_type":"application/json",'
        '"message_body":"[{\\"id\\":\\"1.2\\"}]"}'
    )
    response = Response("r3", 200, "OK", [{"id": "1.2"}])
    assert parse_message(text) == response
    assert response.is_success


def test_reads_a_response_without_a_body() -> None:
    text = '{"type":"RESTResponse","request_id":"r9","status_code":404,"reason_phrase":"Not Found"}'
    response = Response("r9", 404, "Not Found")
    assert parse_message(text) == response
    assert not response.is_success


@pytest.mark.parametrize(
    ("message", "event"),
    [
        (
            {"type": "StasisStart", "args": ["abc.def", "7000"], "channel": CHANNEL},
            StasisStart("1795414467.1", ("abc.def", "7000")),
        ),
        ({"type": "StasisEnd", "channel": CHANNEL}, StasisEnd("1795414467.1")),
        (
            {"type": "ChannelDestroyed", "cause": 16, "channel": CHANNEL},
            ChannelDestroyed("1795414467.1", 16),
        ),
        (
            {"type": "ChannelHangupRequest", "cause": 32, "soft": True, "channel": CHANNEL},
            ChannelHangupRequest("1795414467.1"),
        ),
        (
            {
                "type": "ChannelDtmfReceived",
                "digit": "5",
                "duration_ms": 100,
                "channel": CHANNEL,
            },
            ChannelDtmfReceived("1795414467.1", "5", 100),
        ),
        ({"type": "ApplicationReplaced", "application": "talkbutton"}, ApplicationReplaced()),
        ({"type": "ChannelVarset", "variable": "TICKET", "channel": CHANNEL}, None),
        ({"type": "StasisStart", "channel": {}}, None),
        ({"type": "ChannelDestroyed", "channel": CHANNEL}, None),
    ],
)
def test_reads_the_events_a_call_needs(message: dict[str, object], event: Event | None) -> None:
    assert parse_message(json.dumps(message)) == event


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "[]",
        "{}",
        '{"type":7}',
        "[" * 100_000,
        '{"type":"RESTResponse","request_id":"r","status_code":200,"reason_phrase":"","message_body":"{"}',
    ],
)
def test_refuses_what_is_no_ari_message(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse_message(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_is_a_value_or_a_protocol_error(value: object) -> None:
    try:
        parse_message(json.dumps(value))
    except ProtocolError:
        return
    assert isinstance(value, dict)
