from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.errors import ProtocolError
from talkbutton.protocols.speech import (
    FRAME_MAX_BYTES,
    HEADER_MAX_BYTES,
    FrameReader,
    SpeechFrame,
    encode_frame,
)

pytestmark = pytest.mark.core

FRAMES = st.lists(
    st.builds(
        SpeechFrame,
        st.dictionaries(st.text(), st.none() | st.integers() | st.text(), max_size=3),
        st.binary(max_size=50),
    ),
    max_size=4,
)


@given(FRAMES, st.integers(1, 7))
def test_frames_survive_any_cutting(frames: list[SpeechFrame], piece_bytes: int) -> None:
    stream = b"".join(encode_frame(frame) for frame in frames)
    reader = FrameReader()
    got: list[SpeechFrame] = []
    for start in range(0, len(stream), piece_bytes):
        got += reader.feed(stream[start : start + piece_bytes])
    assert got == frames


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_other_bytes_give_frames_or_the_documented_error(pieces: list[bytes]) -> None:
    reader = FrameReader()
    with suppress(ProtocolError):
        for piece in pieces:
            reader.feed(piece)


@pytest.mark.parametrize(
    ("stream", "problem"),
    [
        ((FRAME_MAX_BYTES + 1).to_bytes(4, "big") + bytes(4), "claims 4194305 bytes"),
        (bytes([0, 0, 0, 8]) + (5).to_bytes(4, "big"), "claims a header of 5 bytes"),
        (
            FRAME_MAX_BYTES.to_bytes(4, "big") + (HEADER_MAX_BYTES + 1).to_bytes(4, "big"),
            "claims a header",
        ),
        (bytes([0, 0, 0, 2]) + bytes(4), "claims a header of 0 bytes"),
        (bytes([0, 0, 0, 6, 0, 0, 0, 2]) + b"[]", "not an object"),
        (bytes([0, 0, 0, 6, 0, 0, 0, 2]) + b"\xff\xff", "not JSON"),
    ],
)
def test_a_frame_out_of_bounds_is_refused_at_once(stream: bytes, problem: str) -> None:
    with pytest.raises(ProtocolError, match=problem):
        FrameReader().feed(stream)


def test_a_frame_over_the_bound_is_the_senders_mistake() -> None:
    with pytest.raises(ValueError, match="in all"):
        encode_frame(SpeechFrame({}, bytes(FRAME_MAX_BYTES)))
    with pytest.raises(ValueError, match="header bytes"):
        encode_frame(SpeechFrame({"text": "x" * HEADER_MAX_BYTES}))
