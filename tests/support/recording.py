"""A recorder of what a call sounds like in the page, and a microphone that speaks a file.

Both work in every browser whose page can evaluate an expression. The recorder keeps the two sides
on one clock.
"""

import base64
import io
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Recording",
    "ScriptRunner",
    "arm_recorder",
    "loudest_hz",
    "set_wav_microphone",
    "take_recording",
]

RECORDER = Path(__file__).with_name("recorder.js")
WAV_MICROPHONE = Path(__file__).with_name("wav_microphone.js")


class ScriptRunner(Protocol):
    """A page that can evaluate a JavaScript expression and wait for its promise."""

    def evaluate(self, expression: str, arg: Any = None) -> Any:
        """Return the value of ``expression``, or of that function applied to ``arg``."""
        ...


@dataclass(frozen=True, slots=True)
class Recording:
    """What a page heard, from ``arm_recorder`` to ``take_recording``.

    Attributes:
        kind: ``worklet`` is exact to the sample; ``media`` lays the two sides beside each other
            to some 10 ms.
        rate_hz: Sample rate of both channels.
        microphone: What the visitor's microphone gave, -1..1; silence before it was there.
        bot: What the bot said, -1..1, sample by sample beside ``microphone``.
        pressed_at_samples: Where in the recording the button was pressed first, if it was.
    """

    kind: Literal["worklet", "media"]
    rate_hz: int
    microphone: NDArray[np.float32]
    bot: NDArray[np.float32]
    pressed_at_samples: int | None


def arm_recorder(page: ScriptRunner) -> None:
    """Begin to record; call it after the page has loaded and before the button is pressed.

    For exact recordings open the page in a context with ``bypass_csp=True``. With a WAV
    microphone set that first, so that the recorder hears it.
    """
    page.evaluate(RECORDER.read_text())


def take_recording(page: ScriptRunner) -> Recording:
    """End the recording and return it."""
    answer = page.evaluate("() => window.talkbuttonRecorder.take()")
    samples = np.frombuffer(base64.b64decode(answer["pcm"]), dtype="<i2").reshape(-1, 2)
    scaled = samples.astype(np.float32) / np.float32(32_768)
    return Recording(
        kind=answer["kind"],
        rate_hz=int(answer["rateHz"]),
        microphone=scaled[:, 0].copy(),
        bot=scaled[:, 1].copy(),
        pressed_at_samples=answer["pressedAtSamples"],
    )


def set_wav_microphone(page: ScriptRunner, microphone_wav: Path, *, silence_s: int = 60) -> None:
    """Let the page's microphone speak a file once, in any browser; then it is silent.

    The file starts with ``getUserMedia``. The page needs a policy that allows blob: media.

    Args:
        page: The page, loaded.
        microphone_wav: 16-bit PCM.
        silence_s: Seconds of silence after the file; then the microphone ends.
    """
    spoken = io.BytesIO()
    with wave.open(str(microphone_wav)) as source, wave.open(spoken, "wb") as target:
        target.setparams(source.getparams())
        target.writeframes(source.readframes(source.getnframes()))
        frame_bytes = source.getnchannels() * source.getsampwidth()
        target.writeframes(bytes(frame_bytes * source.getframerate() * silence_s))
    page.evaluate(WAV_MICROPHONE.read_text(), base64.b64encode(spoken.getvalue()).decode())


def loudest_hz(samples: NDArray[np.float32], rate_hz: int) -> float:
    """Return the frequency that carries most of the sound."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate_hz / len(samples))
