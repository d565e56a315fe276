import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.fake_speech import Code, FakeWorker, fake_transcriber, fake_vad, fake_voice, until
from talkbutton.errors import BotError
from talkbutton.protocols.speech import (
    WINDOW_BYTES,
    Cancel,
    Detect,
    Detected,
    Embed,
    Failed,
    Forget,
    FrameReader,
    Probe,
    Ready,
    Reply,
    Request,
    Speak,
    Spoken,
    Transcribe,
    Transcribed,
    encode_frame,
    encode_request,
    parse_reply,
)
from talkbutton.speech.server import CLIENTS_MAX, QUEUE_MAX_REQUESTS, SpeechServer

pytestmark = [pytest.mark.shell, pytest.mark.anyio]


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tb") as name:
        yield Path(name)


class Peer:
    """A client that says exactly what a test wants."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self._reader = reader
        self._frames = FrameReader()
        self._replies: list[Reply] = []

    def send(self, *requests: Request) -> None:
        for request in requests:
            self.writer.write(encode_frame(encode_request(request)))

    async def reply(self) -> Reply:
        async with asyncio.timeout(5):
            while not self._replies:
                received = await self._reader.read(65_536)
                if not received:
                    raise EOFError
                self._replies += [parse_reply(frame) for frame in self._frames.feed(received)]
        return self._replies.pop(0)


@asynccontextmanager
async def serving(worker: FakeWorker, folder: Path) -> AsyncIterator[Path]:
    path = folder / "speech" / f"{worker.part}.sock"
    task = asyncio.create_task(SpeechServer(path, worker).run())
    try:
        await until(lambda: path.exists() or task.done())
        yield path
    finally:
        worker.may_work.set()
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled(), task.exception()
    assert not path.exists(), "the server left its socket behind"


@asynccontextmanager
async def connected(path: Path) -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()


async def test_answers_what_it_is_and_what_it_is_asked(folder: Path) -> None:
    code = Code()
    pcm = code.sound("hello", ms=100)
    async with serving(fake_transcriber(code), folder) as path, connected(path) as peer:
        peer.send(Probe(1), Transcribe(2, 1_000, pcm))
        assert await peer.reply() == Ready(1, "speech-transcriber", "fake 1")
        assert await peer.reply() == Transcribed(2, "hello", -0.1, 1)
        assert path.stat().st_mode & 0o777 == 0o600


async def test_answers_a_probe_while_the_model_is_busy(folder: Path) -> None:
    worker = fake_voice(Code())
    async with serving(worker, folder) as path, connected(path) as peer:
        worker.may_work.clear()
        peer.send(Speak(1, 5_000, "hello"), Probe(2))
        assert isinstance(await peer.reply(), Ready)
        worker.may_work.set()
        assert isinstance(await peer.reply(), Spoken)


async def test_what_somebody_waits_for_goes_before_the_background(folder: Path) -> None:
    worker = fake_voice(Code())
    async with serving(worker, folder) as path, connected(path) as peer:
        worker.may_work.clear()
        peer.send(Speak(1, 5_000, "first"), Probe(10))
        await peer.reply()
        peer.send(Speak(2, 5_000, "behind", is_background=True), Speak(3, 5_000, "now"), Probe(11))
        await peer.reply()
        worker.may_work.set()
        order = [(await peer.reply()).request_id for _ in range(6)]
        assert order == [1, 1, 3, 3, 2, 2]


async def test_a_cancelled_request_is_not_worked_on(folder: Path) -> None:
    worker = fake_voice(Code())
    async with serving(worker, folder) as path, connected(path) as peer:
        worker.may_work.clear()
        peer.send(Speak(1, 60_000, "one"), Speak(2, 60_000, "two"), Speak(3, 60_000, "three"))
        peer.send(Cancel(1), Cancel(2), Cancel(99), Probe(4))
        await peer.reply()
        worker.may_work.set()
        assert (await peer.reply()).request_id == 3
        texts = [request.text for request in worker.asked if isinstance(request, Speak)]
        assert "two" not in texts


async def test_a_request_past_its_deadline_fails_as_late(folder: Path) -> None:
    worker = fake_voice(Code())
    async with serving(worker, folder) as path, connected(path) as peer:
        worker.may_work.clear()
        peer.send(Speak(1, 30, "one"), Speak(2, 1, "two"))
        assert await peer.reply() == Failed(1, "late", "the deadline passed")
        assert await peer.reply() == Failed(2, "late", "the deadline passed")


async def test_one_request_too_many_is_told_busy(folder: Path) -> None:
    worker = fake_voice(Code())
    async with serving(worker, folder) as path, connected(path) as peer:
        worker.may_work.clear()
        for number in range(QUEUE_MAX_REQUESTS + 2):
            peer.send(Speak(number, 60_000, "x"), Probe(1_000 + number))
            reply = await peer.reply()
            if isinstance(reply, Failed):
                break
        assert isinstance(reply, Failed)
        assert (reply.request_id, reply.code) == (QUEUE_MAX_REQUESTS + 1, "busy")


async def test_a_model_that_fails_is_said_and_the_worker_goes_on(folder: Path) -> None:
    worker = fake_voice(Code())
    async with serving(worker, folder) as path, connected(path) as peer:
        worker.is_broken = True
        peer.send(Speak(1, 1_000, "x"))
        assert await peer.reply() == Failed(1, "broken", "speech-voice: it broke")
        worker.is_broken = False
        peer.send(Speak(2, 1_000, "x"))
        assert isinstance(await peer.reply(), Spoken)


async def test_a_request_for_another_worker_is_invalid(folder: Path) -> None:
    async with serving(fake_vad(), folder) as path, connected(path) as peer:
        peer.send(Embed(1, ("x",)), Forget(("a",)), Detect(2, ("a",), bytes(WINDOW_BYTES)))
        assert await peer.reply() == Failed(1, "invalid", "not for a vad")
        reply = await peer.reply()
        assert isinstance(reply, Detected)
        assert reply.request_id == 2


async def test_an_id_in_use_is_invalid(folder: Path) -> None:
    worker = fake_voice(Code())
    async with serving(worker, folder) as path, connected(path) as peer:
        worker.may_work.clear()
        peer.send(Speak(1, 60_000, "x"), Speak(1, 60_000, "y"))
        assert await peer.reply() == Failed(1, "invalid", "this id is in use")


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\x06\0\0\0\x02{}"])
async def test_a_client_that_talks_nonsense_is_cut_off_and_others_are_served(
    folder: Path, garbage: bytes
) -> None:
    async with serving(fake_vad(), folder) as path, connected(path) as peer:
        async with connected(path) as other:
            other.writer.write(garbage)
            with pytest.raises(EOFError):
                await other.reply()
        peer.send(Probe(1))
        assert isinstance(await peer.reply(), Ready)


async def test_a_client_that_goes_takes_its_requests_with_it(folder: Path) -> None:
    worker = fake_voice(Code())
    async with serving(worker, folder) as path, connected(path) as peer:
        async with connected(path) as other:
            worker.may_work.clear()
            other.send(Speak(1, 60_000, "one"), Speak(2, 60_000, "two"), Probe(3))
            await other.reply()
        peer.send(Speak(1, 60_000, "three"))
        await until(lambda: len(worker.asked) == 2)
        worker.may_work.set()
        assert (await peer.reply()).request_id == 1
        texts = [request.text for request in worker.asked if isinstance(request, Speak)]
        assert texts == ["one", "three"]


async def test_one_client_too_many_is_turned_away(folder: Path) -> None:
    async with serving(fake_vad(), folder) as path:
        peers = [Peer(*await asyncio.open_unix_connection(path)) for _ in range(CLIENTS_MAX)]
        for peer in peers:
            peer.send(Probe(1))
            await peer.reply()
        async with connected(path) as late:
            with pytest.raises(EOFError):
                await late.reply()
        for peer in peers:
            peer.writer.close()


async def test_takes_the_place_of_a_socket_that_a_crash_left(folder: Path) -> None:
    (folder / "speech").mkdir()
    (folder / "speech" / "speech-vad.sock").touch()
    task = asyncio.create_task(
        SpeechServer(folder / "speech" / "speech-vad.sock", fake_vad()).run()
    )
    await until((folder / "speech" / "speech-vad.sock").is_socket)
    task.cancel()
    await asyncio.wait([task])


async def test_a_folder_that_can_not_be_used_is_named(folder: Path) -> None:
    (folder / "speech").touch()
    with pytest.raises(BotError, match=r"speech-vad\.sock cannot be made"):
        await SpeechServer(folder / "speech" / "speech-vad.sock", fake_vad()).run()
