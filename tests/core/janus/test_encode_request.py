import json

import pytest

from talkbutton.protocols.janus import Candidate, JanusLogin, Request, encode_request
from talkbutton.protocols.janus.requests import (
    Attach,
    Create,
    Detach,
    KeepAlive,
    PluginRequest,
    Trickle,
)

pytestmark = pytest.mark.core

LOGIN = JanusLogin("s3", "t3")


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (Create(), {"janus": "create"}),
        (KeepAlive(), {"janus": "keepalive"}),
        (Attach("c1"), {"janus": "attach", "plugin": "janus.plugin.sip", "opaque_id": "c1"}),
        (Detach(), {"janus": "detach"}),
        (
            PluginRequest({"request": "hangup"}),
            {"janus": "message", "body": {"request": "hangup"}},
        ),
        (
            PluginRequest({"request": "call", "uri": "sip:7000@a"}, "v=0"),
            {
                "janus": "message",
                "body": {"request": "call", "uri": "sip:7000@a"},
                "jsep": {"type": "offer", "sdp": "v=0"},
            },
        ),
        (
            Trickle((Candidate("candidate:1", "0", 0),)),
            {
                "janus": "trickle",
                "candidates": [{"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0}],
            },
        ),
        (
            Trickle((Candidate("candidate:1"),), is_completed=True),
            {
                "janus": "trickle",
                "candidates": [
                    {"candidate": "candidate:1", "sdpMLineIndex": 0},
                    {"completed": True},
                ],
            },
        ),
    ],
)
def test_every_request_carries_secret_and_token(
    request_: Request, fields: dict[str, object]
) -> None:
    text = encode_request(
        request_, transaction="t", login=LOGIN, now_unix=1000, session_id=7, handle_id=9
    )
    addressed = {**LOGIN.fields(now_unix=1000), "transaction": "t", "session_id": 7, "handle_id": 9}
    assert json.loads(text) == fields | addressed


def test_a_session_that_is_not_there_yet_is_left_out() -> None:
    text = encode_request(Create(), transaction="t", login=LOGIN, now_unix=1000)
    assert json.loads(text) == {
        **LOGIN.fields(now_unix=1000),
        "janus": "create",
        "transaction": "t",
    }


def test_what_is_asked_of_a_plugin_does_not_show_its_secrets() -> None:
    request = PluginRequest({"request": "register", "secret": "hush"}, "v=0 hush")
    assert "hush" not in repr(request)
    assert request.name == "register"
