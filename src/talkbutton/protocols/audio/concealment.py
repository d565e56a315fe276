"""Fills lost frames with what was heard last, fading away.

The last pitch period is repeated: at full level for 10 ms, then falling to nothing at 70 ms,
because a repeated period soon sounds like a buzzer. The first frame that arrives again is faded
in over 5 ms.

Source: the idea of ITU-T G.711, appendix I, in a simpler form.
"""

import numpy as np
from numpy.typing import NDArray

from talkbutton.protocols.audio.frame import LINE_FRAME_BYTES, LINE_RATE_HZ, LINE_SILENCE_PCM

__all__ = ["Concealer"]

_FRAME_SAMPLES = LINE_FRAME_BYTES // 2
_MS_SAMPLES = LINE_RATE_HZ // 1000
_PERIOD_MIN_SAMPLES = 5 * _MS_SAMPLES // 2  # 400 Hz
_PERIOD_MAX_SAMPLES = 15 * _MS_SAMPLES  # 67 Hz
_TEMPLATE_SAMPLES = 10 * _MS_SAMPLES
_PAST_FRAMES = 2
_FULL_SAMPLES = 10 * _MS_SAMPLES
_FADED_SAMPLES = 70 * _MS_SAMPLES
_JOIN_SAMPLES = 5 * _MS_SAMPLES
_JOIN = np.linspace(0, 1, _JOIN_SAMPLES, endpoint=False, dtype=np.float32)

Signal = NDArray[np.float32]


class Concealer:
    """One direction of one call, at ``LINE_RATE_HZ``, a frame at a time."""

    def __init__(self) -> None:
        self._past: list[bytes] = []
        self._period: Signal | None = None  # while concealing
        self._made_samples = 0

    def receive(self, pcm: bytes) -> bytes:
        """Return a frame that was received, joined to what was made up before it."""
        assert len(pcm) == LINE_FRAME_BYTES, len(pcm)
        if self._period is not None:
            pcm = self._join(pcm)
            self._period = None
        self._past.append(pcm)
        del self._past[:-_PAST_FRAMES]
        return pcm

    def conceal(self) -> bytes:
        """Return a frame for one that is missing."""
        if self._period is None:
            if len(self._past) < _PAST_FRAMES:
                return LINE_SILENCE_PCM
            self._period = _last_period(_to_signal(b"".join(self._past)))
            self._made_samples = 0
        return _to_pcm(self._make(_FRAME_SAMPLES))

    def fall_silent(self) -> bytes:
        """Return a silent frame, and forget what was heard."""
        self._past.clear()
        self._period = None
        return LINE_SILENCE_PCM

    def _make(self, samples: int) -> Signal:
        assert self._period is not None
        n = np.arange(self._made_samples, self._made_samples + samples)
        self._made_samples += samples
        gain = np.clip((_FADED_SAMPLES - n) / (_FADED_SAMPLES - _FULL_SAMPLES), 0, 1)
        return (self._period[n % self._period.size] * gain).astype(np.float32)

    def _join(self, pcm: bytes) -> bytes:
        signal = _to_signal(pcm)
        made = self._make(_JOIN_SAMPLES)
        signal[:_JOIN_SAMPLES] = made * (1 - _JOIN) + signal[:_JOIN_SAMPLES] * _JOIN
        return _to_pcm(signal)


def _last_period(past: Signal) -> Signal:
    """Return the end of ``past`` that, repeated, continues it best."""
    template = past[-_TEMPLATE_SAMPLES:]
    searched = past[-_TEMPLATE_SAMPLES - _PERIOD_MAX_SAMPLES : -_PERIOD_MIN_SAMPLES]
    likeness = np.correlate(searched, template, "valid")
    energy = np.convolve(searched**2, np.ones(_TEMPLATE_SAMPLES, np.float32), "valid")
    best = int(np.argmax(likeness / np.sqrt(energy + 1)))
    return past[-(_PERIOD_MAX_SAMPLES - best) :]


def _to_signal(pcm: bytes) -> Signal:
    return np.frombuffer(pcm, "<i2").astype(np.float32)


def _to_pcm(signal: Signal) -> bytes:
    return np.rint(signal).astype("<i2").tobytes()
