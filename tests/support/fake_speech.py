"""Speech workers without models, behind the real server and wire protocol.

Sound stands for words: a caller's utterance is a square wave whose height is the number of its
text, and the fake voice answers in the same way. So a test can say which words went where.
"""

import asyncio
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from talkbutton.errors import BotError, ProtocolError
from talkbutton.protocols.speech import (
    WINDOW_SAMPLES,
    Detect,
    Detected,
    Embed,
    Embedded,
    Forget,
    Reply,
    Request,
    Speak,
    Spoken,
    Transcribe,
    Transcribed,
)
from talkbutton.speech.server import SpeechServer

_STEP = 100
_FIRST_HEIGHT = 4_000
MS_PER_WORD = 100
DIMENSIONS = 64


class Code:
    """Numbers texts, and turns them into sound and back."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def sound(self, text: str, *, ms: int) -> bytes:
        if text not in self._texts:
            self._texts.append(text)
        height = _FIRST_HEIGHT + _STEP * self._texts.index(text)
        return struct.pack("<2h", height, -height) * (ms * 8)

    def text(self, pcm: bytes) -> str:
        """Return the texts in ``pcm``, in order, joined by a space."""
        samples = np.frombuffer(pcm, "<i2")
        heights = samples[samples >= _FIRST_HEIGHT]
        is_new = np.diff(heights, prepend=heights.dtype.type(0)) != 0
        numbers = (heights[is_new] - _FIRST_HEIGHT) // _STEP
        return " ".join(self._texts[int(number)] for number in numbers)


@dataclass
class FakeWorker:
    """One worker whose answers a test can hold back, break or watch."""

    part: str
    work: Callable[[Request], Iterator[Reply]]
    model: str = "fake 1"
    is_quick: bool = False
    asked: list[Request] = field(default_factory=list)
    is_broken: bool = False
    may_work: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.may_work.set()

    def answer(self, request: Request, is_wanted: Callable[[], bool]) -> Iterator[Reply]:
        self.asked.append(request)
        while not self.may_work.wait(0.005):
            if not is_wanted():
                return
        if self.is_broken:
            raise BotError(f"{self.part}: it broke")
        yield from self.work(request)


def fake_vad() -> FakeWorker:
    def work(request: Request) -> Iterator[Reply]:
        match request:
            case Detect(request_id, calls, windows):
                samples = np.frombuffer(windows, "<i2").reshape(len(calls), WINDOW_SAMPLES)
                loud = np.abs(samples).max(axis=1) >= _FIRST_HEIGHT
                yield Detected(request_id, tuple(0.9 if one else 0.1 for one in loud))
            case Forget():
                return
            case _:
                raise ProtocolError("not for a vad")

    return FakeWorker("speech-vad", work, is_quick=True)


def fake_transcriber(code: Code) -> FakeWorker:
    def work(request: Request) -> Iterator[Reply]:
        assert isinstance(request, Transcribe)
        yield Transcribed(request.request_id, code.text(request.pcm), -0.1, 1)

    return FakeWorker("speech-transcriber", work)


def fake_voice(code: Code) -> FakeWorker:
    def work(request: Request) -> Iterator[Reply]:
        assert isinstance(request, Speak)
        pcm = code.sound(request.text, ms=MS_PER_WORD * len(request.text.split()))
        half = len(pcm) // 8 * 4
        yield Spoken(request.request_id, is_last=False, pcm=pcm[:half])
        yield Spoken(request.request_id, is_last=True, pcm=pcm[half:])

    return FakeWorker("speech-voice", work)


def fake_meaning() -> FakeWorker:
    def place(text: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        vector = np.zeros(DIMENSIONS, np.float32)
        for word in text.lower().strip("?!.").split():
            vector[sum(word.encode()) % DIMENSIONS] += 1
        return vector / max(1.0, float(np.linalg.norm(vector)))

    def work(request: Request) -> Iterator[Reply]:
        assert isinstance(request, Embed)
        vectors = b"".join(place(text).astype("<f4").tobytes() for text in request.texts)
        yield Embedded(request.request_id, DIMENSIONS, vectors)

    return FakeWorker("speech-meaning", work)


@dataclass
class FakeSpeech:
    """All four workers, running."""

    folder: Path
    code: Code
    vad: FakeWorker
    transcriber: FakeWorker
    voice: FakeWorker
    meaning: FakeWorker
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    @property
    def workers(self) -> tuple[FakeWorker, ...]:
        return (self.vad, self.transcriber, self.voice, self.meaning)

    def start(self, worker: FakeWorker) -> None:
        server = SpeechServer(self.folder / f"{worker.part}.sock", worker)
        self.tasks[worker.part] = asyncio.create_task(server.run())

    async def stop(self, worker: FakeWorker) -> None:
        task = self.tasks.pop(worker.part, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        worker.may_work.set()


@asynccontextmanager
async def fake_speech(folder: Path) -> AsyncIterator[FakeSpeech]:
    code = Code()
    speech = FakeSpeech(
        folder, code, fake_vad(), fake_transcriber(code), fake_voice(code), fake_meaning()
    )
    try:
        for worker in speech.workers:
            speech.start(worker)
        yield speech
    finally:
        for worker in speech.workers:
            await speech.stop(worker)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what no event tells: a file, another thread."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
