import math
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.errors import ProtocolError
from talkbutton.protocols.speech import (
    WINDOW_BYTES,
    Cancel,
    Detect,
    Detected,
    Embed,
    Embedded,
    Failed,
    Forget,
    FrameReader,
    Probe,
    Ready,
    Reply,
    Request,
    Speak,
    SpeechFrame,
    Spoken,
    Transcribe,
    Transcribed,
    encode_frame,
    encode_reply,
    encode_request,
    parse_reply,
    parse_request,
)

pytestmark = pytest.mark.core

IDS = st.integers(0, (1 << 53) - 1)
DEADLINES = st.integers(1, 1 << 31)
PCM = st.binary(max_size=40).map(lambda raw: raw[: len(raw) // 2 * 2])
CALLS = st.lists(st.text(), max_size=4, unique=True).map(tuple)

REQUESTS = st.one_of(
    st.builds(Probe, IDS),
    st.tuples(IDS, CALLS).map(lambda it: Detect(it[0], it[1], bytes(len(it[1]) * WINDOW_BYTES))),
    st.builds(Forget, CALLS),
    st.builds(Transcribe, IDS, DEADLINES, PCM),
    st.builds(Speak, IDS, DEADLINES, st.text(), st.booleans()),
    st.builds(Embed, IDS, st.lists(st.text(), max_size=4).map(tuple)),
    st.builds(Cancel, IDS),
)
REPLIES = st.one_of(
    st.builds(Ready, IDS, st.text(), st.text()),
    st.builds(Detected, IDS, st.lists(st.floats(0, 1, width=32), max_size=5).map(tuple)),
    st.builds(
        Transcribed,
        IDS,
        st.text(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.integers(0, 10_000),
    ),
    st.builds(Spoken, IDS, st.booleans(), PCM),
    st.integers(1, 4).flatmap(
        lambda size: st.builds(
            Embedded, IDS, st.just(size), st.integers(0, 3).map(lambda n: bytes(n * size * 4))
        )
    ),
    st.builds(Failed, IDS, st.sampled_from(["busy", "late", "invalid", "broken"]), st.text()),
)


def through_the_wire(frame: SpeechFrame) -> SpeechFrame:
    [received] = FrameReader().feed(encode_frame(frame))
    return received


@given(REQUESTS)
def test_requests_survive_the_wire(request: Request) -> None:
    assert parse_request(through_the_wire(encode_request(request))) == request


@given(REPLIES)
def test_replies_survive_the_wire(reply: Reply) -> None:
    assert parse_reply(through_the_wire(encode_reply(reply))) == reply


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
KINDS = ["probe", "detect", "forget", "transcribe", "speak", "embed", "cancel"]
KINDS += ["ready", "detected", "transcribed", "spoken", "embedded", "failed"]
FIELDS = ["id", "calls", "deadline_ms", "text", "background", "texts", "part", "model", "last"]
FIELDS += ["log_probability", "took_ms", "dimensions", "code", "detail"]


@given(
    st.sampled_from(KINDS),
    st.dictionaries(st.sampled_from(FIELDS), JSON),
    st.binary(max_size=9),
)
def test_other_frames_are_refused_with_the_documented_error(
    kind: str, fields: dict[str, object], payload: bytes
) -> None:
    frame = SpeechFrame({"kind": kind, **fields}, payload)
    for parse in (parse_request, parse_reply):
        with suppress(ProtocolError):
            parse(frame)


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        (SpeechFrame({"kind": "detect", "id": 1, "calls": ["a"]}, bytes(10)), "do not match"),
        (
            SpeechFrame({"kind": "detect", "id": 1, "calls": ["a", "a"]}, bytes(2 * WINDOW_BYTES)),
            "do not match",
        ),
        (SpeechFrame({"kind": "transcribe", "id": 1, "deadline_ms": 9}, b"x"), "half a sample"),
        (SpeechFrame({"kind": "transcribe", "id": 1, "deadline_ms": 0}), "deadline"),
        (SpeechFrame({"kind": "embed", "id": 1, "texts": ["a", 2]}), "list of texts"),
        (SpeechFrame({"kind": "probe", "id": True}), "proper id"),
        (SpeechFrame({}), "wrong form"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(frame: SpeechFrame, problem: str) -> None:
    with pytest.raises(ProtocolError, match=problem):
        parse_request(frame)


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        (SpeechFrame({"kind": "detected", "id": 1}, struct.pack("<f", 1.5)), "between 0 and 1"),
        (SpeechFrame({"kind": "detected", "id": 1}, struct.pack("<f", math.nan)), "between"),
        (SpeechFrame({"kind": "detected", "id": 1}, b"abc"), "cut off"),
        (SpeechFrame({"kind": "embedded", "id": 1, "dimensions": 2}, bytes(4)), "no vectors"),
        (SpeechFrame({"kind": "failed", "id": 1, "code": "tired", "detail": ""}), "tired"),
        (
            SpeechFrame(
                {"kind": "transcribed", "id": 1, "text": "", "log_probability": 10**400}
                | {"took_ms": 1}
            ),
            "without an end",
        ),
    ],
)
def test_a_reply_that_makes_no_sense_is_refused(frame: SpeechFrame, problem: str) -> None:
    with pytest.raises(ProtocolError, match=problem):
        parse_reply(frame)
