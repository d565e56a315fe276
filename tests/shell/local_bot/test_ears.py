import asyncio
import struct
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.fake_speech import FakeSpeech, fake_speech, until
from talkbutton.bots.local.ears import Ear, Ears, loudness_probability
from talkbutton.bots.local.speech_client import SpeechClient
from talkbutton.protocols.audio.frame import LINE_FRAME_BYTES
from talkbutton.protocols.speech import WINDOW_BYTES, Detect, Forget

pytestmark = [pytest.mark.shell, pytest.mark.anyio]


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tb") as name:
        yield Path(name)


@asynccontextmanager
async def listening(speech: FakeSpeech) -> AsyncIterator[Ears]:
    client = SpeechClient(speech.folder, "speech-vad")
    ears = Ears(client)
    tasks = [asyncio.create_task(client.run()), asyncio.create_task(ears.run())]
    try:
        await client.probe()
        yield ears
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def probabilities(ear: Ear, count: int) -> list[float]:
    async with asyncio.timeout(5):
        return [round((await anext(ear)).probability, 1) for _ in range(count)]


async def test_calls_are_judged_in_one_batch_and_apart(folder: Path) -> None:
    async with fake_speech(folder) as speech, listening(speech) as ears:
        loud, quiet = ears.attach("loud"), ears.attach("quiet")
        voice = speech.code.sound("x", ms=320)
        for start in range(0, len(voice), LINE_FRAME_BYTES):
            loud.feed(voice[start : start + LINE_FRAME_BYTES])
            quiet.feed(bytes(LINE_FRAME_BYTES))
        assert await probabilities(loud, 10) == [0.9] * 10
        assert await probabilities(quiet, 10) == [0.1] * 10
        batches = [ask.calls for ask in speech.vad.asked if isinstance(ask, Detect)]
        assert batches == [("loud", "quiet")] * 10


async def test_windows_keep_every_sample_in_order(folder: Path) -> None:
    async with fake_speech(folder) as speech, listening(speech) as ears:
        ear = ears.attach("a")
        pcm = struct.pack("<1600h", *range(1_600))
        for start in range(0, len(pcm), LINE_FRAME_BYTES):
            ear.feed(pcm[start : start + LINE_FRAME_BYTES])
        got = b"".join([(await anext(ear)).pcm for _ in range(3)])
        assert got == pcm[: 3 * WINDOW_BYTES]


async def test_a_call_that_is_over_is_forgotten(folder: Path) -> None:
    async with fake_speech(folder) as speech, listening(speech) as ears:
        ear = ears.attach("a")
        ears.detach(ear)
        with pytest.raises(StopAsyncIteration):
            await anext(ear)
        await until(lambda: Forget(("a",)) in speech.vad.asked)


async def test_without_its_worker_it_hears_by_loudness_and_then_by_the_worker_again(
    folder: Path,
) -> None:
    async with fake_speech(folder) as speech, listening(speech) as ears:
        await speech.stop(speech.vad)
        ear = ears.attach("a")
        voice = speech.code.sound("x", ms=32)
        ear.feed(voice + bytes(WINDOW_BYTES))
        assert await probabilities(ear, 2) == [1.0, 0.0]
        speech.start(speech.vad)
        async with asyncio.timeout(5):
            while await _one(ear, voice) != 0.9:
                pass


async def _one(ear: Ear, window: bytes) -> float:
    ear.feed(window)
    [probability] = await probabilities(ear, 1)
    return probability


def test_loudness_stands_in_for_speech() -> None:
    assert loudness_probability(struct.pack("<h", 3_000) * 512) == 1.0
    assert loudness_probability(struct.pack("<h", 100) * 512) == 0.0
    assert loudness_probability(bytes(1024)) == 0.0
    assert loudness_probability(b"") == 0.0
