"""One call of the bot in the box: listens, understands, answers, and lets itself be interrupted.

Three things run at once: frames go from the line to the ear, perceived windows go through the
machine of turns, and at most one reply is under way. Recognition starts at a short pause and is
thrown away if the caller goes on. What fails or is late ends in a spoken apology, whose sound was
made before the first call.
"""

import asyncio
import logging
import time
from collections.abc import Callable

from talkbutton.bots.interface import Line
from talkbutton.bots.local import wording
from talkbutton.bots.local.answering import Decision, Unknown, is_backchannel
from talkbutton.bots.local.ears import Ear, Perceived
from talkbutton.bots.local.mind import Mind, Understood
from talkbutton.bots.local.mouth import Mouth
from talkbutton.bots.local.phrases import Phrases
from talkbutton.bots.local.replies import Replies, Reply
from talkbutton.bots.local.turns import (
    BargeIn,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    TurnDropped,
    TurnEnded,
    TurnEvent,
    TurnRules,
    Turns,
)
from talkbutton.errors import BotError, ConnectionLost
from talkbutton.protocols.audio.frame import LINE_RATE_HZ
from talkbutton.settings.model import BotSettings

__all__ = ["Conversation"]

_log = logging.getLogger("talkbutton.bots.local")

_WORDLESS_BELOW_MS = 600
"""Speech shorter than this that gave no words was a cough, and needs no answer."""

_UNHEARD_BELOW_MS = 1_000
"""An answer cut sooner than this was not heard: its question is still open."""

_CARRIED_MAX_BYTES = 10 * LINE_RATE_HZ * 2

_Guess = asyncio.Task[Understood | None]


class Conversation:
    """Holds one conversation.

    Args:
        line: The call.
        ear: Attached for this call.
        mind: Shared by all calls.
        phrases: Shared by all calls; has the greeting and the apology.
        settings: The bot's.
    """

    def __init__(
        self, line: Line, ear: Ear, mind: Mind, phrases: Phrases, settings: BotSettings
    ) -> None:
        self._line = line
        self._ear = ear
        self._mind = mind
        self._greeting = settings.greeting
        self._ending_soon = settings.ending_soon
        self._mouth = Mouth(line, phrases)
        self._replies = Replies(settings)
        self._turns = Turns(TurnRules.with_end_silence(settings.end_of_turn_silence_ms))
        self._turns_begun = 0
        self._guess: _Guess | None = None
        self._reply: asyncio.Task[None] | None = None
        self._unanswered_pcm = b""  # the turn whose reply has not begun
        self._carried_pcm = b""  # the turn that the caller goes on with, for the same reason
        self._answered_text = ""  # what the last reply replied to
        self._open_question = ""  # the same, if that reply was cut before it could be heard
        self._is_leaving = False
        self._untold_left_s: int | None = None  # the call ends soon, and the caller must be told

    async def run(self) -> None:
        """Talk until the call ends or somebody says goodbye."""
        async with asyncio.TaskGroup() as tasks:
            self._reply = tasks.create_task(self._greet(time.monotonic()))
            beside = [
                tasks.create_task(self._feed()),
                tasks.create_task(self._await_ending()),
            ]
            async for perceived in self._ear:
                events = self._turns.hear(
                    perceived.probability, perceived.pcm, is_bot_audible=self._line.is_speaking
                )
                for event in events:
                    if not self._is_leaving:
                        self._take(event, perceived, tasks)
                if self._untold_left_s is not None and self._is_pause:
                    self._reply = tasks.create_task(self._warn(self._untold_left_s))
                    self._untold_left_s = None
            for task in beside:
                task.cancel()
            self._cancel_guess()
            self._cancel_reply()

    async def _feed(self) -> None:
        async for frame in self._line.hear():
            assert frame.rate_hz == LINE_RATE_HZ, frame.rate_hz
            self._ear.feed(frame.pcm)
        self._ear.close()

    async def _await_ending(self) -> None:
        self._untold_left_s = await self._line.ending_soon()

    @property
    def _is_pause(self) -> bool:
        """Whether neither side speaks or is about to."""
        is_replying = self._reply is not None and not self._reply.done()
        is_bot_quiet = not (is_replying or self._line.is_speaking or self._is_leaving)
        return is_bot_quiet and self._turns.is_quiet

    async def _warn(self, left_s: int) -> None:
        def began(utterance_id: str) -> None:
            self._line.report("bot.warned", utterance_id=utterance_id, left_s=left_s)

        self._answered_text = ""  # if this is cut, no question is open
        await self._say(self._ending_soon, began)

    async def _greet(self, started_s: float) -> None:
        def began(utterance_id: str) -> None:
            self._line.report(
                "bot.greeted", utterance_id=utterance_id, first_audio_ms=_ms_since(started_s)
            )

        await self._say(self._greeting, began)

    def _take(self, event: TurnEvent, perceived: Perceived, tasks: asyncio.TaskGroup) -> None:
        match event:
            case SpeechStarted():
                self._begin_turn()
            case BargeIn(onset_ms_ago):
                self._interrupt(onset_ms_ago + _ms_since(perceived.received_s))
            case SpeechPaused(pcm):
                self._cancel_guess()
                self._guess = tasks.create_task(self._understand(self._carried_pcm + pcm))
            case SpeechResumed():
                self._cancel_guess()
            case TurnEnded():
                self._end_turn(event, perceived, tasks)
            case TurnDropped(is_barge_in) if not self._carried_pcm:
                self._cancel_guess()
                if is_barge_in:
                    self._reply = tasks.create_task(self._go_on())
            case TurnDropped():  # what was said before it still wants its answer
                self._cancel_guess()
                before = TurnEnded(b"", _WORDLESS_BELOW_MS, 0, is_barge_in=False)
                self._end_turn(before, perceived, tasks)

    def _begin_turn(self) -> None:
        if not self._unanswered_pcm:
            self._turns_begun += 1
            return
        self._cancel_reply()  # the caller goes on: hear it as one sentence
        self._carried_pcm = self._unanswered_pcm[-_CARRIED_MAX_BYTES:]
        self._unanswered_pcm = b""

    def _end_turn(self, turn: TurnEnded, last: Perceived, tasks: asyncio.TaskGroup) -> None:
        guess, self._guess = self._guess, None
        self._unanswered_pcm = self._carried_pcm + turn.pcm
        self._carried_pcm = b""
        self._cancel_reply()
        self._reply = tasks.create_task(self._answer(turn, guess, last.received_s))

    def _interrupt(self, onset_to_cut_ms: int) -> None:
        self._cancel_reply()
        for cut in self._mouth.cut():
            self._line.report(
                "bot.interrupted",
                utterance_id=cut.utterance_id,
                heard_ms=cut.heard_ms,
                queued_ms=cut.queued_ms,
                heard_text=cut.heard_text,
                onset_to_cut_ms=onset_to_cut_ms,
            )
            if cut.heard_ms < _UNHEARD_BELOW_MS:
                self._open_question = self._answered_text

    def _cancel_reply(self) -> None:
        if self._reply is not None:
            self._reply.cancel()
            self._reply = None

    def _cancel_guess(self) -> None:
        if self._guess is not None:
            self._guess.cancel()
            self._guess = None

    async def _understand(self, pcm: bytes) -> Understood | None:
        """Return what is said, captioned at once; None if that failed."""
        caption_id = self._caption_id()
        try:
            understood = await self._mind.understand(pcm)
        except (ConnectionLost, BotError) as exc:
            self._fail("understanding", exc)
            return None
        if understood.text:
            self._line.caption("visitor", caption_id, understood.text, is_final=False)
        return understood

    async def _answer(self, turn: TurnEnded, guess: _Guess | None, ended_s: float) -> None:
        """Reply to a turn that ended at ``ended_s``."""
        understood = await (guess or self._understand(self._unanswered_pcm))
        if understood is None:
            apology = Reply("apology", wording.APOLOGY)
            await self._say(apology.text, self._reporter(apology, turn, ended_s))
            return
        self._report_heard(turn, understood, _ms_since(ended_s))
        if self._needs_no_reply(turn, understood):
            self._unanswered_pcm = b""
            if turn.is_barge_in:
                await self._go_on()
            return
        reply = self._replies.choose(await self._resolve(understood))
        self._answered_text, self._open_question = understood.text, ""
        self._is_leaving = reply.is_last
        await self._say(reply.text, self._reporter(reply, turn, ended_s))
        if reply.is_last:
            await self._line.drained()
            self._ear.close()

    def _needs_no_reply(self, turn: TurnEnded, understood: Understood) -> bool:
        if not understood.text:
            return turn.is_barge_in or turn.speech_ms < _WORDLESS_BELOW_MS
        if not is_backchannel(understood.text):
            return False
        return turn.is_barge_in or isinstance(understood.decision, Unknown)

    async def _resolve(self, understood: Understood) -> Decision | None:
        """Return the decision, with the question that is still open if it makes sense of it."""
        if not (isinstance(understood.decision, Unknown) and self._open_question):
            return understood.decision
        try:
            return await self._mind.decide(f"{self._open_question} {understood.text}")
        except (ConnectionLost, BotError) as exc:
            self._fail("understanding", exc)
            return understood.decision

    async def _go_on(self) -> None:
        """Say the rest of what was cut by a sound that was no turn."""
        try:
            if await self._mouth.go_on():
                self._line.report("bot.resumed")
        except (ConnectionLost, BotError) as exc:
            self._fail("speaking", exc)

    async def _say(self, text: str, began: Callable[[str], None]) -> None:
        try:
            await self._mouth.say(text, began)
        except (ConnectionLost, BotError) as exc:
            self._fail("speaking", exc)
            try:
                await self._mouth.say(wording.APOLOGY, began)
            except (ConnectionLost, BotError) as again:
                self._fail("apologizing", again)

    def _report_heard(self, turn: TurnEnded, understood: Understood, waited_ms: int) -> None:
        if understood.text:
            self._line.caption("visitor", self._caption_id(), understood.text, is_final=True)
        self._line.report(
            "bot.heard",
            utterance_id=self._caption_id(),
            speech_ms=turn.speech_ms,
            silence_ms=turn.silence_ms,
            transcribe_ms=understood.transcribe_ms,
            meaning_ms=understood.meaning_ms,
            waited_ms=waited_ms,
            log_probability=understood.log_probability,
            **{"pii.text": understood.text},
        )

    def _reporter(self, reply: Reply, turn: TurnEnded, ended_s: float) -> Callable[[str], None]:
        """Return what to call when the first sound of ``reply`` is queued."""

        def began(utterance_id: str) -> None:
            self._unanswered_pcm = b""
            waited_ms = _ms_since(ended_s)
            self._line.report(
                "bot.answered",
                utterance_id=utterance_id,
                kind=reply.kind,
                question=reply.question,
                similarity=None if reply.similarity is None else round(reply.similarity, 3),
                first_audio_ms=waited_ms,
                silence_to_audio_ms=turn.silence_ms + waited_ms,
            )

        return began

    def _caption_id(self) -> str:
        return f"v{self._turns_begun}"

    def _fail(self, doing: str, error: Exception) -> None:
        _log.warning("%s failed in a call: %s", doing, error)
        self._line.report("bot.failed", doing=doing, problem=str(error))


def _ms_since(moment_s: float) -> int:
    return round((time.monotonic() - moment_s) * 1000)
