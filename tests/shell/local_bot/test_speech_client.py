import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.fake_speech import FakeSpeech, fake_speech, until
from talkbutton.bots.local.speech_client import SpeechClient
from talkbutton.errors import BotError, ConnectionLost
from talkbutton.protocols.speech import WINDOW_BYTES, Embedded, Reply, Request, Speak

pytestmark = [pytest.mark.shell, pytest.mark.anyio]


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tb") as name:
        yield Path(name)


@asynccontextmanager
async def running(client: SpeechClient) -> AsyncIterator[SpeechClient]:
    task = asyncio.create_task(client.run())
    try:
        yield client
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled(), task.exception()


@asynccontextmanager
async def voice_of(speech: FakeSpeech) -> AsyncIterator[SpeechClient]:
    async with running(SpeechClient(speech.folder, "speech-voice")) as client:
        yield client


async def said(client: SpeechClient, text: str, *, deadline_ms: int = 5_000) -> bytes:
    return b"".join([piece async for piece in client.speak(text, deadline_ms=deadline_ms)])


async def test_asks_every_worker(folder: Path) -> None:
    async with (
        fake_speech(folder) as speech,
        running(SpeechClient(folder, "speech-vad")) as vad,
        running(SpeechClient(folder, "speech-transcriber")) as transcriber,
        running(SpeechClient(folder, "speech-voice")) as voice,
        running(SpeechClient(folder, "speech-meaning")) as meaning,
    ):
        assert (await voice.probe()).model == "fake 1"
        pcm = await said(voice, "hello there")
        assert speech.code.text(pcm) == "hello there"
        assert (await transcriber.transcribe(pcm, deadline_ms=5_000)).text == "hello there"
        windows = [bytes(WINDOW_BYTES), pcm[:WINDOW_BYTES]]
        probabilities = await vad.detect(["a", "b"], windows, deadline_ms=5_000)
        assert probabilities == pytest.approx((0.1, 0.9))
        assert (await meaning.embed(["x"] * 70, deadline_ms=5_000)).shape == (70, 64)


async def test_a_worker_that_is_not_there_costs_the_deadline(folder: Path) -> None:
    async with running(SpeechClient(folder, "speech-voice")) as client:
        with pytest.raises(ConnectionLost, match="speech-voice did not answer within 50 ms"):
            await said(client, "x", deadline_ms=50)


async def test_a_worker_that_hangs_costs_the_deadline_and_is_told(folder: Path) -> None:
    async with fake_speech(folder) as speech, voice_of(speech) as client:
        await client.probe()
        speech.voice.may_work.clear()
        with pytest.raises(ConnectionLost, match=r"within 100 ms|deadline passed"):
            await said(client, "one", deadline_ms=100)
        speech.voice.may_work.set()
        assert speech.code.text(await said(client, "two")) == "two"


async def test_a_worker_that_dies_costs_the_requests_in_flight_only(folder: Path) -> None:
    async with fake_speech(folder) as speech, voice_of(speech) as client:
        await client.probe()
        speech.voice.may_work.clear()
        asking = asyncio.create_task(said(client, "one"))
        await until(lambda: len(speech.voice.asked) == 1)
        await speech.stop(speech.voice)
        with pytest.raises(ConnectionLost, match="speech-voice went away"):
            await asking
        speech.start(speech.voice)
        assert speech.code.text(await said(client, "two")) == "two"


async def test_a_model_that_fails_is_told_apart(folder: Path) -> None:
    async with fake_speech(folder) as speech, voice_of(speech) as client:
        speech.voice.is_broken = True
        with pytest.raises(BotError, match="speech-voice: it broke"):
            await said(client, "x")


async def test_leaving_early_cancels_the_request(folder: Path) -> None:
    async with fake_speech(folder) as speech, voice_of(speech) as client:
        await client.probe()
        speech.voice.may_work.clear()
        first = asyncio.create_task(said(client, "one"))
        second = asyncio.create_task(said(client, "two"))
        await until(lambda: len(speech.voice.asked) == 1)
        first.cancel()
        second.cancel()
        await asyncio.wait([first, second])
        third = asyncio.create_task(said(client, "three"))
        await until(lambda: len(speech.voice.asked) == 2)
        speech.voice.may_work.set()
        assert speech.code.text(await third) == "three"
        assert [ask.text for ask in speech.voice.asked if isinstance(ask, Speak)] == [
            "one",
            "three",
        ]


def _answer(
    reply: bytes,
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(reply)
        await reader.read()
        writer.close()

    return serve


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\0\0\0\x06\0\0\0\x02{}",
        b"\xff" * 100,
    ],
)
async def test_a_worker_that_talks_nonsense_is_left_and_met_again(
    folder: Path, garbage: bytes
) -> None:
    path = folder / "speech-voice.sock"
    server = await asyncio.start_unix_server(_answer(garbage), path)
    async with running(SpeechClient(folder, "speech-voice")) as client:
        with pytest.raises(ConnectionLost, match="speech-voice went away"):
            await client.probe()
        server.close()
        await server.wait_closed()
        path.unlink(missing_ok=True)
        async with fake_speech(folder) as speech:
            assert speech.code.text(await said(client, "better")) == "better"


async def test_an_answer_of_the_wrong_kind_is_refused(folder: Path) -> None:
    async with fake_speech(folder) as speech, voice_of(speech) as client:

        def confused(request: Request) -> Iterator[Reply]:
            assert isinstance(request, Speak)
            yield Embedded(request.request_id, 1, b"")

        speech.voice.work = confused
        with pytest.raises(ConnectionLost, match="speech-voice answered something else"):
            await said(client, "x")
