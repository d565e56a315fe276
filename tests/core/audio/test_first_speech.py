import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.protocols.audio.first_speech import (
    LOUD_DBOV,
    LOUD_FRAMES,
    WINDOW_FRAMES,
    FirstSpeech,
)
from talkbutton.protocols.audio.frame import LINE_FRAME_BYTES, LINE_RATE_HZ, LINE_SILENCE_PCM

pytestmark = pytest.mark.core

SAMPLES = LINE_FRAME_BYTES // 2


def noise(level_dbov: float, frames: int) -> list[bytes]:
    """Return white noise, such as the comfort noise of RFC 3389."""
    rms = 32_768 * 10 ** (level_dbov / 20)
    samples = np.random.default_rng(7).normal(0, rms, SAMPLES * frames)
    pcm = np.clip(samples, -32_768, 32_767).astype("<i2").tobytes()
    return [pcm[at : at + LINE_FRAME_BYTES] for at in range(0, len(pcm), LINE_FRAME_BYTES)]


def tone(level_dbov: float) -> bytes:
    height = 32_768 * 10 ** (level_dbov / 20) * 2**0.5
    wave = height * np.sin(2 * np.pi * 200 * np.arange(SAMPLES) / LINE_RATE_HZ)
    return bytes(wave.astype("<i2").tobytes())


VOICE = tone(-26.0)


def heard_at(frames: list[bytes]) -> int | None:
    """Return the number of the frame, from 1, that made it speech."""
    first = FirstSpeech()
    return next((n for n, pcm in enumerate(frames, 1) if first.hear(pcm)), None)


def test_silence_and_comfort_noise_are_nobody() -> None:
    assert heard_at([LINE_SILENCE_PCM] * 500) is None
    assert heard_at(noise(-50.0, 500)) is None
    assert heard_at(noise(-45.0, 500)) is None


def test_clicks_are_nobody() -> None:
    click = [VOICE] * (LOUD_FRAMES - 1) + [LINE_SILENCE_PCM] * WINDOW_FRAMES
    assert heard_at(click * 20) is None


def test_a_short_yes_is_somebody() -> None:
    assert heard_at([LINE_SILENCE_PCM] * 50 + [VOICE] * 10) == 50 + LOUD_FRAMES


def test_a_voice_with_gaps_is_somebody() -> None:
    assert heard_at([VOICE, VOICE, LINE_SILENCE_PCM] * 4) is not None


def test_it_is_told_once() -> None:
    first = FirstSpeech()
    assert sum(first.hear(VOICE) for _ in range(100)) == 1
    assert first.was_heard


@given(st.lists(st.floats(-90.0, LOUD_DBOV - 0.5), max_size=60))
def test_nothing_below_the_threshold_ever_counts(levels: list[float]) -> None:
    assert heard_at([tone(level) for level in levels]) is None


@given(st.binary(max_size=LINE_FRAME_BYTES).map(lambda pcm: pcm[: len(pcm) // 2 * 2]))
def test_any_frame_will_do(pcm: bytes) -> None:
    FirstSpeech().hear(pcm)
