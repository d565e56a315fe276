"""The four speech programs: load a model, say so, serve it until cancelled.

Each runs at lower priority than the programs that move media. A model that is missing or broken
ends the program at start with one sentence that names the package and what to do.
"""

import asyncio
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from talkbutton.settings.model import Settings
from talkbutton.speech.server import SpeechServer
from talkbutton.speech.worker import Worker

__all__ = ["run_meaning", "run_transcriber", "run_vad", "run_voice", "socket_path"]

_NICENESS_OF_HEARING = 2
"""Voice activity is wanted at once, but media goes first."""
_NICENESS_OF_THINKING = 5
_NICENESS_OF_SPEAKING = 10
"""What is said often is at hand already; making the rest must not slow recognition."""


def socket_path(state_dir: Path, part: str) -> Path:
    """Return where the socket of a speech worker is."""
    return state_dir / "speech" / f"{part}.sock"


async def run_vad(settings: Settings, secrets: None, state_dir: Path) -> None:  # noqa: ARG001
    """Serve voice activity detection.

    Raises:
        BotError: If the model is missing or broken, or the socket cannot be made.
    """
    _use_one_thread()
    from talkbutton.speech.vad import load_vad

    await _run(load_vad, state_dir, niceness=_NICENESS_OF_HEARING)


async def run_transcriber(settings: Settings, secrets: None, state_dir: Path) -> None:  # noqa: ARG001
    """Serve speech to text.

    Raises:
        BotError: If the model is missing or broken, or the socket cannot be made.
    """
    _use_one_thread()
    from talkbutton.speech.transcriber import load_transcriber

    load = partial(load_transcriber, threads=settings.speech.transcriber_threads)
    await _run(load, state_dir, niceness=_NICENESS_OF_THINKING)


async def run_voice(settings: Settings, secrets: None, state_dir: Path) -> None:  # noqa: ARG001
    """Serve text to speech.

    Raises:
        BotError: If the model is missing or broken, or the socket cannot be made.
    """
    _use_one_thread()
    from talkbutton.speech.piper_voice import load_voice

    load = partial(load_voice, threads=settings.speech.voice_threads)
    await _run(load, state_dir, niceness=_NICENESS_OF_SPEAKING)


async def run_meaning(settings: Settings, secrets: None, state_dir: Path) -> None:  # noqa: ARG001
    """Serve vectors of meaning.

    Raises:
        BotError: If the model is missing or broken, or the socket cannot be made.
    """
    _use_one_thread()
    from talkbutton.speech.meaning import load_meaning

    await _run(load_meaning, state_dir, niceness=_NICENESS_OF_THINKING)


async def _run(load: Callable[[], Worker], state_dir: Path, *, niceness: int) -> None:
    os.nice(niceness)
    worker = await asyncio.to_thread(load)
    await SpeechServer(socket_path(state_dir, worker.part), worker).run()


def _use_one_thread() -> None:
    """Keep the linear algebra below numpy from spinning on every core; read when it loads."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
