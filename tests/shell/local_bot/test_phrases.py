import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.fake_speech import FakeSpeech, fake_speech
from talkbutton.bots.local.phrases import Phrases
from talkbutton.bots.local.speech_client import SpeechClient
from talkbutton.protocols.speech import Speak

pytestmark = [pytest.mark.shell, pytest.mark.anyio]


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tb") as name:
        yield Path(name)


@asynccontextmanager
async def phrases_in(speech: FakeSpeech, cache: Path, model: str = "v1") -> AsyncIterator[Phrases]:
    client = SpeechClient(speech.folder, "speech-voice")
    task = asyncio.create_task(client.run())
    phrases = Phrases(cache, client)
    phrases.use_voice(model)
    try:
        yield phrases
    finally:
        task.cancel()
        await asyncio.wait([task])


async def sound(phrases: Phrases, sentence: str) -> bytes:
    return b"".join([piece async for piece in phrases.sound(sentence)])


async def test_what_was_said_once_is_kept_for_the_next_run(folder: Path) -> None:
    async with fake_speech(folder) as speech:
        async with phrases_in(speech, folder / "cache") as phrases:
            assert phrases.load(["One. Two!", "Two! Three?"]) == ["One.", "Two!", "Three?"]
            await phrases.render_all(["One.", "Two!"])
            assert speech.code.text(await sound(phrases, "Three?")) == "Three?"
        speech.voice.asked.clear()
        async with phrases_in(speech, folder / "cache") as phrases:
            assert phrases.load(["One. Two! Three?"]) == []
            assert speech.code.text(await sound(phrases, "One.")) == "One."
        assert speech.voice.asked == []


async def test_another_voice_says_it_anew(folder: Path) -> None:
    async with fake_speech(folder) as speech, phrases_in(speech, folder / "cache") as phrases:
        await phrases.render_all(["One."])
        phrases.use_voice("v2")
        assert phrases.load(["One."]) == ["One."]


async def test_a_file_that_was_cut_off_is_made_anew(folder: Path) -> None:
    async with fake_speech(folder) as speech:
        async with phrases_in(speech, folder / "cache") as phrases:
            await phrases.render_all(["One."])
        [path] = (folder / "cache").iterdir()
        path.write_bytes(b"odd")
        async with phrases_in(speech, folder / "cache") as phrases:
            assert phrases.load(["One."]) == ["One."]


async def test_a_cache_that_can_not_be_written_is_done_without(folder: Path) -> None:
    (folder / "cache").touch()
    async with fake_speech(folder) as speech, phrases_in(speech, folder / "cache") as phrases:
        await phrases.render_all(["One."])
        assert speech.code.text(await sound(phrases, "One.")) == "One."
        assert len(speech.voice.asked) == 1


async def test_a_phrase_that_breaks_the_voice_does_not_hold_up_the_others(folder: Path) -> None:
    async with fake_speech(folder) as speech, phrases_in(speech, folder / "cache") as phrases:
        speech.voice.is_broken = True
        await phrases.render_all(["One."])
        speech.voice.is_broken = False
        await phrases.render_all(["Two."])
        assert phrases.known("One.") is None
        assert phrases.known("Two.") is not None


async def test_sound_in_the_background_is_marked_as_such(folder: Path) -> None:
    async with fake_speech(folder) as speech, phrases_in(speech, folder / "cache") as phrases:
        await phrases.render_all(["One."])
        await sound(phrases, "Two.")
        asked = [ask.is_background for ask in speech.voice.asked if isinstance(ask, Speak)]
        assert asked == [True, False]
