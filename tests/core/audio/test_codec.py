import numpy as np
import pytest
from numpy.typing import NDArray

from talkbutton.protocols.audio import (
    LINE_FRAME_BYTES,
    LINE_RATE_HZ,
    CodecName,
    LineCodec,
    level_dbov,
    open_line_codec,
)

pytestmark = pytest.mark.core

CODECS: list[CodecName] = ["ulaw", "g722"]


def sine(frequency_hz: float, frames: int = 50) -> bytes:
    times = np.arange(320 * frames) / LINE_RATE_HZ
    wave: NDArray[np.int16] = np.rint(8_000 * np.sin(2 * np.pi * frequency_hz * times)).astype(
        "<i2"
    )
    return wave.tobytes()


def through(codec: LineCodec, pcm: bytes) -> NDArray[np.int16]:
    """Encode and decode, frame by frame."""
    heard = []
    for start in range(0, len(pcm), LINE_FRAME_BYTES):
        payload = codec.encode(pcm[start : start + LINE_FRAME_BYTES])
        assert len(payload) == codec.payload_bytes
        frame = codec.decode(payload)
        assert len(frame) == LINE_FRAME_BYTES
        heard.append(frame)
    return np.frombuffer(b"".join(heard), "<i2")


@pytest.mark.parametrize(("name", "payload_type"), [("ulaw", 0), ("g722", 9)])
def test_codecs_have_their_static_types_and_the_clock_of_the_rfc(
    name: CodecName, payload_type: int
) -> None:
    codec = open_line_codec(name)
    assert codec.payload_type == payload_type
    assert (codec.clock_rate_hz, codec.samples_per_frame, codec.payload_bytes) == (8_000, 160, 160)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("frequency_hz", [300, 1_000, 3_000])
def test_a_tone_keeps_its_frequency_and_level(name: CodecName, frequency_hz: float) -> None:
    pcm = sine(frequency_hz)
    heard = through(open_line_codec(name), pcm)[1_600:]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(heard.size)))
    assert np.argmax(spectrum) * LINE_RATE_HZ / heard.size == pytest.approx(frequency_hz, abs=2)
    assert level_dbov(heard.tobytes()) == pytest.approx(level_dbov(pcm), abs=0.3)


def test_only_g722_carries_the_upper_band() -> None:
    pcm = sine(6_000)
    wide = through(open_line_codec("g722"), pcm)[1_600:]
    narrow = through(open_line_codec("ulaw"), pcm)[1_600:]
    assert level_dbov(wide.tobytes()) == pytest.approx(level_dbov(pcm), abs=1.0)
    assert level_dbov(narrow.tobytes()) < -70


@pytest.mark.parametrize("name", CODECS)
def test_silence_stays_silent(name: CodecName) -> None:
    heard = through(open_line_codec(name), bytes(LINE_FRAME_BYTES * 10))
    assert level_dbov(heard[640:].tobytes()) < -75


@pytest.mark.parametrize("name", CODECS)
def test_calls_do_not_share_state(name: CodecName) -> None:
    codec, other = open_line_codec(name), open_line_codec(name)
    frame = sine(440, frames=1)
    first = codec.decode(codec.encode(frame))
    assert other.decode(other.encode(frame)) == first
    assert codec.decode(codec.encode(frame)) != first


@pytest.mark.parametrize("name", CODECS)
def test_any_payload_of_the_right_length_can_be_decoded(name: CodecName) -> None:
    codec = open_line_codec(name)
    payloads = np.random.default_rng(1).integers(0, 256, (20, 160), np.uint8)
    for payload in payloads:
        assert len(codec.decode(payload.tobytes())) == LINE_FRAME_BYTES


@pytest.mark.parametrize("name", CODECS)
def test_a_frame_of_another_length_is_the_callers_mistake(name: CodecName) -> None:
    with pytest.raises(AssertionError):
        open_line_codec(name).encode(bytes(320))
    with pytest.raises(AssertionError):
        open_line_codec(name).decode(bytes(80))
