"""The real speech workers as processes, and callers' voices as the telephone brings them."""

import asyncio
import json
import subprocess
import sys
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from talkbutton.protocols.audio.frame import LINE_RATE_HZ

PARTS = ("vad", "transcriber", "voice", "meaning")
AUDIO_DIR = Path(__file__).parents[3] / "shared" / "audio"
SOURCE_DIR = Path(__file__).parents[2] / "src"

_MU = 255.0
_PROGRAM = """
import asyncio, pathlib, sys
from talkbutton.settings.model import Settings
from talkbutton.speech import program
run = getattr(program, sys.argv[1])
asyncio.run(run(Settings(version=1), None, pathlib.Path(sys.argv[2])))
"""


@dataclass(frozen=True, slots=True)
class Recording:
    """One caller's utterance, and what is said in it."""

    name: str
    text: str
    pcm: bytes


def start_worker(
    part: str, state_dir: Path, python_path: Sequence[Path] = (SOURCE_DIR,)
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, f"run_{part}", str(state_dir)],
        env={"PYTHONPATH": ":".join(map(str, python_path)), "PATH": ""},
        stderr=subprocess.PIPE,
    )


@asynccontextmanager
async def real_workers(state_dir: Path) -> AsyncIterator[dict[str, subprocess.Popen[bytes]]]:
    """Start all four; the state folder's path must be short enough for a socket."""
    workers = {part: start_worker(part, state_dir) for part in PARTS}
    try:
        yield workers
    finally:
        for worker in workers.values():
            worker.terminate()
        for worker in workers.values():
            await asyncio.to_thread(worker.communicate, timeout=10)


def recordings() -> list[Recording]:
    """Return all utterances, each through u-law and back, at the line's rate."""
    manifest = json.loads((AUDIO_DIR / "manifest.json").read_text(encoding="utf-8"))
    return [
        Recording(one["file"], one["text"], telephone(*_read_wav(AUDIO_DIR / one["file"])))
        for one in manifest
    ]


def telephone(samples: NDArray[np.floating[Any]], rate_hz: int) -> bytes:
    """Return 16 kHz PCM of ``samples`` as an 8 kHz u-law leg leaves it (ITU-T G.711)."""
    narrow = np.clip(soxr.resample(samples, rate_hz, 8_000), -1.0, 1.0)
    code = np.round(np.sign(narrow) * np.log1p(_MU * np.abs(narrow)) / np.log1p(_MU) * 127) / 127
    heard = np.sign(code) * (np.power(1.0 + _MU, np.abs(code)) - 1.0) / _MU
    wide = soxr.resample(heard.astype(np.float32), 8_000, LINE_RATE_HZ)
    return to_pcm(wide)


def to_pcm(samples: NDArray[np.floating[Any]]) -> bytes:
    return bytes((np.clip(samples, -1.0, 1.0) * 32_767).astype("<i2").tobytes())


def _read_wav(path: Path) -> tuple[NDArray[np.floating[Any]], int]:
    with wave.open(str(path)) as wav:
        assert wav.getnchannels() == 1
        samples = np.frombuffer(wav.readframes(wav.getnframes()), "<i2")
        return samples.astype(np.float32) / 32_768, wav.getframerate()
