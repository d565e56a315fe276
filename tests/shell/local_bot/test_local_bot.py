import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from support.fake_speech import FakeSpeech, fake_speech, until
from support.scripted_line import Caption, ScriptedLine
from talkbutton.bots.local import LocalBot, wording
from talkbutton.errors import BotError, SettingsError
from talkbutton.protocols.speech import Reply, Request, Speak, Transcribe, Transcribed
from talkbutton.settings.model import BotSettings

pytestmark = [pytest.mark.shell, pytest.mark.anyio]

GREETING = "Welcome to the little shop of tests and of many other things."
SETTINGS = BotSettings(greeting=GREETING)
KNOWLEDGE = """\
## When are you open?
> what are your hours
We are open from nine to six. On Sunday we rest.

## Where are you?
In Harbour Street.
"""
HOURS = ["We are open from nine to six.", "On Sunday we rest."]
TICK_S = 0.005


@dataclass
class Call:
    """One call in progress: what the caller says are words, and so is what comes back."""

    line: ScriptedLine
    speech: FakeSpeech
    bot: LocalBot
    talk: asyncio.Task[None]

    def ask(self, text: str, *, ms: int = 480) -> None:
        self.line.speak(self.speech.code.sound(text, ms=ms))

    @property
    def heard(self) -> str:
        """What the caller has heard from the bot."""
        return self.speech.code.text(bytes(self.line.bot_track))

    async def greeted(self) -> None:
        await self.line.until_reported("bot.greeted")
        await self.line.until_quiet()

    async def answered(self, count: int = 1) -> dict[str, object]:
        measures = await self.line.until_reported("bot.answered", count)
        await self.line.until_quiet()
        return dict(measures)

    def captions(self, *, final_only: bool = True) -> list[tuple[str, str]]:
        return [
            (caption.speaker, caption.text)
            for caption in self.line.captions
            if caption.is_final or not final_only
        ]


@dataclass
class House:
    """The bot with its fake workers and folders."""

    folder: Path
    speech: FakeSpeech

    def bot(self, *, workers_wait_s: float = 5, settings: BotSettings = SETTINGS) -> LocalBot:
        return LocalBot(
            settings,
            self.folder / "knowledge",
            self.folder,
            self.folder / "cache",
            workers_wait_s=workers_wait_s,
        )

    @asynccontextmanager
    async def open_bot(self) -> AsyncIterator[LocalBot]:
        bot = self.bot()
        await bot.open()
        try:
            await bot.rehearsed()
            yield bot
        finally:
            await bot.close()

    @asynccontextmanager
    async def call(self, bot: LocalBot, call_id: str = "c1") -> AsyncIterator[Call]:
        line = ScriptedLine(tick_s=TICK_S, call_id=call_id)
        async with asyncio.TaskGroup() as tasks:
            moving = tasks.create_task(line.run())
            talk = tasks.create_task(bot.converse(line))
            yield Call(line, self.speech, bot, talk)
            if not talk.done():
                line.hang_up()
                await asyncio.wait_for(talk, 5)
            moving.cancel()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    with tempfile.TemporaryDirectory(prefix="tb") as name:
        folder = Path(name)
        (folder / "knowledge").mkdir()
        (folder / "knowledge" / "shop.md").write_text(KNOWLEDGE, encoding="utf-8")
        async with fake_speech(folder) as speech:
            yield House(folder, speech)


@pytest.fixture
async def call(house: House) -> AsyncIterator[Call]:
    async with house.open_bot() as bot, house.call(bot) as call:
        yield call


async def test_greets_at_once(call: Call) -> None:
    greeted = await call.line.until_reported("bot.greeted")
    assert float(str(greeted["first_audio_ms"])) < 100
    await call.greeted()
    assert call.heard == GREETING
    assert call.line.captions == [Caption("bot", "b1", GREETING, is_final=True)]


async def test_answers_from_the_knowledge_and_captions_both_sides(call: Call) -> None:
    await call.greeted()
    call.ask("what are your hours")
    answered = await call.answered()
    assert (answered["kind"], answered["question"]) == ("answer", "When are you open?")
    assert call.heard == " ".join([GREETING, *HOURS])
    assert call.captions()[1:] == [("visitor", "what are your hours"), ("bot", " ".join(HOURS))]
    heard = call.line.reported("bot.heard")[0]
    assert heard["pii.text"] == "what are your hours"
    assert heard["speech_ms"] in (480, 512)
    assert heard["silence_ms"] == 320


async def test_words_are_shown_before_the_turn_ends(call: Call) -> None:
    await call.greeted()
    call.ask("where are you")
    await call.answered()
    mine = [caption for caption in call.line.captions if caption.speaker == "visitor"]
    assert mine == [
        Caption("visitor", "v1", "where are you", is_final=False),
        Caption("visitor", "v1", "where are you", is_final=True),
    ]


async def test_a_caller_who_goes_on_after_a_pause_is_heard_as_one(call: Call) -> None:
    await call.greeted()
    call.ask("where")
    call.line.speak(bytes(32 * 192))
    call.ask("are you")
    answered = await call.answered()
    assert answered["question"] == "Where are you?"
    assert call.captions()[1] == ("visitor", "where are you")


async def test_a_call_in_which_nobody_speaks_costs_nothing(house: House) -> None:
    async with house.open_bot() as bot:
        rehearsed = {worker.part: len(worker.asked) for worker in house.speech.workers}
        async with house.call(bot) as call:
            noise = np.random.default_rng(7).normal(0, 100, 16_000 * 5).astype("<i2").tobytes()
            call.line.speak(bytes(32 * 2_000) + noise)  # silence, then comfort noise
            await call.greeted()
        asked = {worker.part: len(worker.asked) for worker in house.speech.workers}
        assert asked.pop("speech-vad") > rehearsed.pop("speech-vad")  # which is free
        assert asked == rehearsed
        async with house.call(bot, "c2") as call:  # and the test would see it
            await call.greeted()
            call.ask("in which street are you")
            await call.answered()
        assert len(house.speech.transcriber.asked) > rehearsed["speech-transcriber"]
        assert len(house.speech.meaning.asked) > rehearsed["speech-meaning"]


async def test_says_that_the_call_ends_soon_and_goes_on(call: Call) -> None:
    await call.greeted()
    call.line.end_soon(30)
    warned = await call.line.until_reported("bot.warned")
    assert warned["left_s"] == 30
    await call.line.until_quiet()
    assert call.heard.endswith("This call will end in a moment.")
    assert call.captions()[-1] == ("bot", SETTINGS.ending_soon)
    call.ask("where are you")
    await call.answered()
    assert call.heard.endswith("In Harbour Street.")
    assert len(call.line.reported("bot.warned")) == 1


async def test_warns_at_a_pause_and_not_over_anybody(call: Call) -> None:
    await call.greeted()
    call.ask("what are your hours", ms=3_000)
    begun_ms = call.line.now_ms
    await call.line.until(lambda: call.line.now_ms >= begun_ms + 1_500)
    call.line.end_soon(30)
    await call.line.until_reported("bot.warned")
    await call.line.until_quiet()
    assert call.heard == " ".join([GREETING, *HOURS, SETTINGS.ending_soon])
    assert call.line.reported("bot.interrupted") == []
    assert call.line.cuts_at_ms == []


async def test_the_warning_may_be_interrupted(call: Call) -> None:
    await call.greeted()
    call.line.end_soon(30)
    await call.line.until_reported("bot.warned")
    await call.line.until(lambda: call.line.is_speaking)
    begun_ms = call.line.now_ms
    await call.line.until(lambda: call.line.now_ms >= begun_ms + 300)
    call.ask("where are you")
    await call.line.until_reported("bot.interrupted")
    assert (await call.answered())["question"] == "Where are you?"


async def test_says_that_it_does_not_know(call: Call) -> None:
    await call.greeted()
    call.ask("zebra xylophone")
    assert (await call.answered())["kind"] == "unknown"
    assert call.heard.endswith(SETTINGS.unknown.split("? ")[-1])


async def test_goodbye_is_said_to_the_end_and_hangs_up(call: Call) -> None:
    await call.greeted()
    call.ask("thank you goodbye")
    await asyncio.wait_for(call.talk, 10)
    assert call.heard.endswith("Thank you for calling. Goodbye!")
    assert not call.line.is_speaking


async def test_speaking_over_the_bot_cuts_it_and_says_how_much_was_heard(call: Call) -> None:
    await call.line.until_reported("bot.greeted")
    await call.line.until(lambda: call.line.now_ms >= 400)
    call.ask("where are you")
    interrupted = await call.line.until_reported("bot.interrupted")
    assert call.line.is_speaking is False
    assert interrupted["queued_ms"] == 100 * len(GREETING.split())
    assert 400 < int(str(interrupted["heard_ms"])) < 800
    assert GREETING.startswith(str(interrupted["heard_text"]))
    assert 2 <= len(str(interrupted["heard_text"]).split()) <= 8
    await call.answered()
    assert call.heard.endswith("In Harbour Street.")


async def test_mhm_is_no_interruption_and_the_bot_goes_on(call: Call) -> None:
    await call.line.until(lambda: call.line.now_ms >= 400)
    call.ask("mhm", ms=200)
    await call.line.until_reported("bot.resumed")
    await call.line.until_quiet()
    said_ms = sum(map(any, _frames(call.line.bot_track))) * 20
    assert said_ms >= 100 * len(GREETING.split())
    assert call.line.reported("bot.answered") == []


async def test_a_wordless_sound_over_the_bot_is_no_interruption(call: Call) -> None:
    call.speech.transcriber.work = _hears_nothing
    await call.line.until(lambda: call.line.now_ms >= 400)
    call.ask("cough", ms=200)
    await call.line.until_reported("bot.resumed")
    assert call.line.reported("bot.answered") == []


async def test_a_cough_in_silence_is_ignored_but_long_unclear_speech_is_not(call: Call) -> None:
    call.speech.transcriber.work = _hears_nothing
    await call.greeted()
    call.ask("cough", ms=200)
    await call.line.until_reported("bot.heard")
    call.ask("mumble", ms=1_000)
    assert (await call.answered())["kind"] == "not_heard"


async def test_a_question_cut_short_by_its_own_end_is_still_answered(call: Call) -> None:
    await call.greeted()
    call.ask("what are your hours")
    await call.line.until_reported("bot.answered")
    await call.line.until(lambda: call.line.is_speaking)
    call.ask("zebra", ms=640)
    await call.line.until_reported("bot.interrupted")
    answered = await call.answered(2)
    assert answered["kind"] == "answer"


async def test_what_has_no_sound_yet_is_said_as_it_comes(house: House) -> None:
    async with house.open_bot() as bot:
        bot._phrases.use_voice("another voice")
        async with house.call(bot) as call:
            await call.greeted()
            call.ask("what are your hours")
            await call.answered()
            assert call.heard == " ".join([GREETING, *HOURS])


async def test_recognition_that_hangs_ends_in_an_apology_and_the_call_goes_on(call: Call) -> None:
    await call.greeted()
    call.speech.transcriber.may_work.clear()
    call.ask("where are you")
    assert (await call.answered())["kind"] == "apology"
    assert call.heard.endswith("Please ask me again.")
    call.speech.transcriber.may_work.set()
    call.ask("where are you")
    assert (await call.answered(2))["kind"] == "answer"


@pytest.mark.parametrize("part", ["speech-transcriber", "speech-meaning"])
async def test_a_worker_that_is_gone_ends_in_an_apology(call: Call, part: str) -> None:
    await call.greeted()
    [worker] = [worker for worker in call.speech.workers if worker.part == part]
    await call.speech.stop(worker)
    call.ask("zebra xylophone")
    assert (await call.answered())["kind"] == "apology"
    call.speech.start(worker)
    call.ask("zebra xylophone")
    assert (await call.answered(2))["kind"] == "unknown"


async def test_a_model_that_breaks_ends_in_an_apology(call: Call) -> None:
    await call.greeted()
    call.speech.transcriber.is_broken = True
    call.ask("where are you")
    assert (await call.answered())["kind"] == "apology"
    assert call.line.reported("bot.failed")[0]["problem"] == "speech-transcriber: it broke"


async def test_a_voice_that_breaks_in_an_answer_ends_in_an_apology(house: House) -> None:
    async with house.open_bot() as bot, house.call(bot) as call:
        await call.greeted()
        del bot._phrases._known[HOURS[1]]
        house.speech.voice.is_broken = True
        call.ask("what are your hours")
        await call.line.until_reported("bot.failed")
        await call.line.until_quiet()
        assert call.heard == " ".join([GREETING, HOURS[0], wording.APOLOGY])


async def test_without_voice_activity_detection_the_caller_is_still_heard(call: Call) -> None:
    await call.greeted()
    await call.speech.stop(call.speech.vad)
    call.ask("where are you")
    assert (await call.answered())["kind"] == "answer"


async def test_two_calls_do_not_mix(house: House) -> None:
    async with house.open_bot() as bot, house.call(bot, "c1") as one, house.call(bot, "c2") as two:
        await one.greeted()
        await two.greeted()
        one.ask("what are your hours")
        two.ask("where are you")
        await one.answered()
        await two.answered()
        assert one.heard == " ".join([GREETING, *HOURS])
        assert two.heard == f"{GREETING} In Harbour Street."
        assert ("visitor", "where are you") not in one.captions(final_only=False)


async def test_a_call_that_is_cancelled_leaves_nothing(house: House) -> None:
    async with house.open_bot() as bot, house.call(bot) as call:
        await call.greeted()
        before = asyncio.all_tasks()
        async with house.call(bot, "c2") as other:
            await other.greeted()
            other.speech.transcriber.may_work.clear()
            other.ask("where are you")
            await until(lambda: len(other.speech.transcriber.asked) == 1)
            other.talk.cancel()
            await asyncio.wait([other.talk])
        other.speech.transcriber.may_work.set()
        assert bot._ears._ears.keys() == {"c1.1"}
        assert asyncio.all_tasks() <= before


async def test_opens_fast_with_the_most_urgent_words_first(house: House) -> None:
    bot = house.bot()
    await bot.open()
    try:
        await bot.rehearsed()
        said = [ask.text for ask in house.speech.voice.asked if isinstance(ask, Speak)]
        assert said[:3] == [GREETING, *wording.APOLOGY.replace(". ", ".|").split("|")]
        assert set(HOURS) <= set(said)
        assert len(said) == len(set(said))
    finally:
        await bot.close()


async def test_waits_for_a_worker_that_is_still_loading(house: House) -> None:
    await house.speech.stop(house.speech.voice)
    bot = house.bot()
    opening = asyncio.create_task(bot.open())
    await until(lambda: bool(house.speech.meaning.asked) or not opening.done())
    house.speech.start(house.speech.voice)
    await asyncio.wait_for(opening, 10)
    await bot.close()


async def test_a_worker_that_does_not_come_up_is_named(house: House) -> None:
    await house.speech.stop(house.speech.voice)
    with pytest.raises(BotError, match="speech-voice is not there after 0 s; its log says why"):
        await house.bot(workers_wait_s=0.1).open()


async def test_a_voice_that_can_not_greet_stops_the_start(house: House) -> None:
    house.speech.voice.is_broken = True
    with pytest.raises(BotError, match="speech-voice: it broke"):
        await house.bot().open()


async def test_knowledge_that_makes_no_sense_stops_the_start(house: House) -> None:
    (house.folder / "knowledge" / "shop.md").write_bytes(b"## One?\n\xff\n")
    with pytest.raises(SettingsError, match=r"shop\.md:2 is not UTF-8"):
        await house.bot().open()


async def test_a_bot_that_is_not_open_takes_no_call(house: House) -> None:
    with pytest.raises(BotError, match="not open"):
        await house.bot().converse(ScriptedLine())


def _frames(track: bytearray) -> Iterator[bytes]:
    for start in range(0, len(track), 640):
        yield bytes(track[start : start + 640])


def _hears_nothing(request: Request) -> Iterator[Reply]:
    assert isinstance(request, Transcribe)
    yield Transcribed(request.request_id, "", -2.0, 1)
