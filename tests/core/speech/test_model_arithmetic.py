import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from talkbutton.errors import BotError
from talkbutton.protocols.speech import WINDOW_BYTES, Detect, Detected, Forget
from talkbutton.speech.meaning import erf
from talkbutton.speech.piper_voice import trim_start
from talkbutton.speech.vad import SileroVad
from talkbutton.speech.worker import ModelBorder

pytestmark = pytest.mark.core


@given(st.floats(-6, 6, width=32))
def test_the_error_function_is_near_the_true_one(x: float) -> None:
    assert erf(np.array([x], np.float32))[0] == pytest.approx(math.erf(x), abs=2e-6)


@given(st.integers(0, 2_000), st.integers(1, 500))
def test_trims_silence_before_the_first_sound_but_10_ms(silent: int, loud: int) -> None:
    samples = np.concatenate([np.zeros(silent, np.float32), np.full(loud, 0.5, np.float32)])
    trimmed = trim_start(samples)
    assert trimmed.size == min(silent, 160) + loud
    assert samples[-trimmed.size :].tolist() == trimmed.tolist()


def test_silence_alone_is_left_as_it_is() -> None:
    assert trim_start(np.zeros(100, np.float32)).size == 100


class CountingSession:
    """Instead of a model: counts a call's windows in its state; loud windows are speech."""

    def run(self, _: None, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        heard = inputs["input"][:, 64:]
        probabilities = np.where(np.abs(heard).max(axis=1) > 0.1, 0.9, 0.1)
        return [probabilities[:, None], inputs["state"] + 1]


LOUD = np.full(512, 8_000, "<i2").tobytes()
QUIET = bytes(WINDOW_BYTES)


def windows_seen(vad: SileroVad, call: str) -> int:
    return int(vad._ears[call].state[0, 0])


def detect(vad: SileroVad, windows: dict[str, bytes]) -> tuple[float, ...]:
    request = Detect(1, tuple(windows), b"".join(windows.values()))
    [reply] = vad.answer(request, lambda: True)
    assert isinstance(reply, Detected)
    return reply.probabilities


def test_every_call_has_a_state_of_its_own() -> None:
    vad = SileroVad(CountingSession(), "counting")
    assert detect(vad, {"a": LOUD, "b": QUIET}) == (0.9, 0.1)
    assert detect(vad, {"b": LOUD}) == (0.9,)
    assert detect(vad, {}) == ()
    assert (windows_seen(vad, "a"), windows_seen(vad, "b")) == (1, 2)
    list(vad.answer(Forget(("a", "c")), lambda: True))
    assert vad._ears.keys() == {"b"}


def test_the_state_starts_afresh_after_two_seconds_without_speech() -> None:
    vad = SileroVad(CountingSession(), "counting")
    seen = []
    for window in [LOUD] + [QUIET] * 61 + [LOUD] + [QUIET] * 62 + [LOUD]:
        detect(vad, {"a": window})
        seen.append(windows_seen(vad, "a"))
    assert max(seen) == 124
    assert seen[-2:] == [0, 1]


def test_whatever_a_models_library_raises_ends_as_one_sentence() -> None:
    with (
        pytest.raises(BotError, match=r"speech-vad: loading failed: no such file; do this$"),
        ModelBorder("speech-vad", "loading", hint="do this"),
    ):
        raise Exception("no\nsuch  file")  # noqa: TRY002  # as tokenizers does
    with pytest.raises(KeyboardInterrupt), ModelBorder("x", "y", hint="z"):
        raise KeyboardInterrupt
