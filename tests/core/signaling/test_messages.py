import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.errors import ProtocolError
from talkbutton.protocols.signaling import (
    Bye,
    Candidate,
    IceState,
    Offer,
    Start,
    Stats,
    VisitorMessage,
    parse_candidate,
    parse_visitor_message,
)

pytestmark = pytest.mark.core

CANDIDATE = "candidate:1 1 udp 2113937151 192.0.2.5 50000 typ host"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("sent", "heard"),
    [
        ({"type": "start", "token": "abc"}, Start("abc")),
        ({"type": "start"}, Start(None)),
        ({"type": "offer", "sdp": "v=0"}, Offer("v=0")),
        (
            {"type": "candidate", "candidate": CANDIDATE, "sdpMid": "0", "sdpMLineIndex": 0},
            Candidate(parse_candidate(CANDIDATE), "0", 0),
        ),
        (
            {"type": "candidate", "candidate": CANDIDATE, "usernameFragment": "x"},
            Candidate(parse_candidate(CANDIDATE)),
        ),
        ({"type": "candidate", "candidate": "", "sdpMid": "0"}, Candidate(None, "0")),
        ({"type": "candidate", "candidate": None}, Candidate(None)),
        (
            {"type": "stats", "rtt_ms": 12.5, "codec": "audio/opus", "packets_lost": 0},
            Stats({"rtt_ms": 12.5, "codec": "audio/opus", "packets_lost": 0}),
        ),
        ({"type": "state", "ice": "connected", "later": [1]}, IceState("connected")),
        ({"type": "bye"}, Bye("hung_up")),
        ({"type": "bye", "reason": "closed"}, Bye("closed")),
    ],
)
def test_understands(sent: dict[str, Any], heard: VisitorMessage) -> None:
    assert parse_visitor_message(json.dumps(sent)) == heard


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "[]",
        "null",
        "[" * 50_000,
        '{"type":1}',
        '{"type":"register"}',
        '{"type":"start","token":5}',
        '{"type":"offer"}',
        '{"type":"offer","sdp":{}}',
        '{"type":"candidate","candidate":5}',
        '{"type":"candidate","candidate":"garbage"}',
        '{"type":"candidate","candidate":"","sdpMid":5}',
        '{"type":"candidate","candidate":"","sdpMid":"a\\nb"}',
        '{"type":"candidate","candidate":"","sdpMid":"a b"}',
        '{"type":"candidate","candidate":"","sdpMLineIndex":1}',
        '{"type":"candidate","candidate":"","sdpMLineIndex":false}',
        '{"type":"stats","rtt_ms":NaN}',
        '{"type":"stats","rtt_ms":1e999}',
        '{"type":"stats","rtt_ms":123456789012345678901234567890}',
        '{"type":"stats","deep":{"x":1}}',
        '{"type":"stats","call_id":"forged"}',
        '{"type":"stats","name":"forged"}',
        '{"type":"stats","pii.address":"x"}',
        '{"type":"stats","text":"two\\nlines"}',
        '{"type":"stats","text":"\\ud800"}',
        '{"type":"state","ice":"melted"}',
        '{"type":"state","ice":["connected"]}',
        '{"type":"bye","reason":"<script>"}',
        json.dumps({"type": "stats", **{f"k{n}": n for n in range(60)}}),
        json.dumps({"type": "stats", "a": "x" * 201}),
        json.dumps({"type": "stats", **{f"k{n}": "x" * 190 for n in range(12)}}),
        json.dumps({"type": "start", "token": "x" * 5_000}),
        json.dumps({"type": "offer", "sdp": "x" * 70_000}),
        json.dumps({"type": "offer", "sdp": "ü" * 40_000}, ensure_ascii=False),
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse_visitor_message(text)


def test_a_refusal_never_repeats_what_was_sent() -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_visitor_message('{"type":"secret-token"}')
    assert "secret" not in str(caught.value)


@given(
    st.text(max_size=200)
    | JSON.map(json.dumps)
    | st.builds(
        lambda kind, more: json.dumps({**more, "type": kind}),
        st.sampled_from(["start", "offer", "candidate", "stats", "state", "bye"]),
        st.dictionaries(
            st.sampled_from(["token", "sdp", "candidate", "sdpMid", "sdpMLineIndex", "ice", "a"]),
            JSON,
        ),
    )
)
def test_any_text_is_a_message_or_the_documented_error(text: str) -> None:
    try:
        heard = parse_visitor_message(text)
    except ProtocolError:
        return
    if isinstance(heard, Stats):
        json.dumps(dict(heard.measures), allow_nan=False).encode()
