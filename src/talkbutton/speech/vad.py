"""Voice activity: Silero's model, one run for the newest windows of all calls.

The model carries a state from window to window. In long silence and steady noise that state
drifts, so it starts afresh after about two seconds without speech.

Source: silero-vad 6.2, ``OnnxWrapper``: at 16 kHz a window is 512 samples behind the last 64 of
the window before; the state is ``[2, batch, 128]``.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from talkbutton.errors import ProtocolError
from talkbutton.protocols.speech import (
    WINDOW_MS,
    WINDOW_SAMPLES,
    Detect,
    Detected,
    Forget,
    Reply,
    Request,
)
from talkbutton.speech.worker import ModelBorder

__all__ = ["SileroVad", "load_vad"]

_PART = "speech-vad"
_PACKAGE = "silero-vad"
_RATE_HZ = 16_000
_CONTEXT_SAMPLES = 64
_STATE_SHAPE = (2, 128)
_SPEECH_LIKE = 0.2
"""A window above this probability keeps the state from being renewed."""
_RENEW_AFTER_WINDOWS = 2_000 // WINDOW_MS
_CALLS_MAX = 1_000
"""Calls remembered; the one not heard for longest is dropped."""

_Floats = NDArray[np.float32]


@dataclass
class _Ear:
    """What the model remembers of one call."""

    state: _Floats = field(default_factory=lambda: np.zeros(_STATE_SHAPE, np.float32))
    context: _Floats = field(default_factory=lambda: np.zeros(_CONTEXT_SAMPLES, np.float32))
    quiet_windows: int = 0


class SileroVad:
    """Tells speech from everything else.

    Args:
        session: The loaded model.
        model: Its name and version.
    """

    part = _PART
    is_quick = True

    def __init__(self, session: Any, model: str) -> None:
        self.model = model
        self._session = session
        self._ears: OrderedDict[str, _Ear] = OrderedDict()
        self._rate = np.array(_RATE_HZ, np.int64)

    def answer(
        self,
        request: Request,
        is_wanted: Callable[[], bool],  # noqa: ARG002  # too short to interrupt
    ) -> Iterator[Reply]:
        """Yield the reply to one request; see ``Worker``."""
        match request:
            case Detect(request_id, calls, windows):
                yield Detected(request_id, self._detect(calls, windows))
            case Forget(calls):
                for call in calls:
                    self._ears.pop(call, None)
            case _:
                raise ProtocolError(f"{_PART} can not do that")

    def _detect(self, calls: tuple[str, ...], windows: bytes) -> tuple[float, ...]:
        if not calls:
            return ()
        ears = [self._ear(call) for call in calls]
        samples = np.frombuffer(windows, "<i2").reshape(len(calls), WINDOW_SAMPLES)
        heard = samples.astype(np.float32) / 32_768
        contexts = np.stack([ear.context for ear in ears])
        with ModelBorder(_PART, "voice activity detection", hint="the worker goes on"):
            output, states = self._session.run(
                None,
                {
                    "input": np.concatenate([contexts, heard], axis=1),
                    "state": np.stack([ear.state for ear in ears], axis=1),
                    "sr": self._rate,
                },
            )
        probabilities = tuple(float(p) for p in np.clip(output[:, 0], 0.0, 1.0))
        for i, ear in enumerate(ears):
            _remember(ear, states[:, i], heard[i], probabilities[i])
        return probabilities

    def _ear(self, call: str) -> _Ear:
        ear = self._ears.pop(call, None) or _Ear()
        self._ears[call] = ear
        if len(self._ears) > _CALLS_MAX:
            self._ears.popitem(last=False)
        return ear


def _remember(ear: _Ear, state: _Floats, heard: _Floats, probability: float) -> None:
    ear.context = heard[-_CONTEXT_SAMPLES:]
    ear.state = state
    ear.quiet_windows = 0 if probability > _SPEECH_LIKE else ear.quiet_windows + 1
    if ear.quiet_windows >= _RENEW_AFTER_WINDOWS:
        ear.state = np.zeros(_STATE_SHAPE, np.float32)
        ear.quiet_windows = 0


def load_vad(model_path: Path | None = None) -> SileroVad:
    """Load the model and try it once.

    Args:
        model_path: An ONNX file; None takes the one that silero-vad brings.

    Raises:
        BotError: If it is missing or broken; says what to do.
    """
    hint = f"install {_PACKAGE} again: pip install --no-deps -r requirements/models.txt"
    with ModelBorder(_PART, f"loading the model of {_PACKAGE}", hint=hint):
        import onnxruntime

        path = model_path or _package_folder() / "data" / "silero_vad.onnx"
        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
        vad = SileroVad(session, f"silero-vad {version(_PACKAGE)}")
        silence = Detect(0, ("try",), bytes(2 * WINDOW_SAMPLES))
        list(vad.answer(silence, lambda: True))
        list(vad.answer(Forget(("try",)), lambda: True))
    return vad


def _package_folder() -> Path:
    """Return where silero-vad is, without importing it: it would import PyTorch."""
    from importlib.util import find_spec

    spec = find_spec("silero_vad")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"the package {_PACKAGE} is not installed")
    return Path(spec.origin).parent
