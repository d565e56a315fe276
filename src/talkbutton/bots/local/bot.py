"""The bot in the box, as a ``Bot``: what all calls of a bridge share."""

import asyncio
import logging
import time
from contextlib import suppress
from pathlib import Path

from talkbutton.bots.interface import Line
from talkbutton.bots.local.conversation import Conversation
from talkbutton.bots.local.ears import Ears
from talkbutton.bots.local.knowledge import load_knowledge
from talkbutton.bots.local.mind import Mind
from talkbutton.bots.local.phrases import Phrases
from talkbutton.bots.local.replies import Replies
from talkbutton.bots.local.speech_client import SpeechClient
from talkbutton.errors import BotError, ConnectionLost
from talkbutton.protocols.speech import Ready
from talkbutton.settings.model import BotSettings

__all__ = ["LocalBot"]

_log = logging.getLogger("talkbutton.bots.local")

_PARTS = ("speech-vad", "speech-transcriber", "speech-voice", "speech-meaning")
_FIRST_PHRASES = 2
"""The greeting and the apology: no call may start without their sound."""
_PHRASE_DEADLINE_MS = 20_000


class LocalBot:
    """Answers from the owner's knowledge, with models on this machine.

    Args:
        settings: The bot's.
        knowledge_dir: Folder of Markdown files.
        speech_dir: Folder of the speech workers' sockets.
        cache_dir: Folder for what the voice has said.
        workers_wait_s: How long ``open`` waits for workers that are still loading.
    """

    def __init__(
        self,
        settings: BotSettings,
        knowledge_dir: Path,
        speech_dir: Path,
        cache_dir: Path,
        *,
        workers_wait_s: float = 60.0,
    ) -> None:
        self._settings = settings
        self._knowledge_dir = knowledge_dir
        self._workers_wait_s = workers_wait_s
        vad, transcriber, voice, meaning = (SpeechClient(speech_dir, part) for part in _PARTS)
        self._clients = (vad, transcriber, voice, meaning)
        self._ears = Ears(vad)
        self._phrases = Phrases(cache_dir / "phrases", voice)
        self._mind = Mind([], transcriber, meaning, threshold=settings.answer_threshold)
        self._calls_begun = 0
        self._unsaid: asyncio.Queue[list[str]] = asyncio.Queue()
        self._life: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Read the knowledge, wait for the workers, and get the greeting ready.

        Raises:
            SettingsError: If the knowledge makes no sense; names file and line.
            BotError: If a worker does not come up or its model fails.
        """
        assert self._life is None
        self._mind.entries = await asyncio.to_thread(load_knowledge, self._knowledge_dir)
        self._life = asyncio.create_task(self._live())
        self._life.add_done_callback(_log_death)
        try:
            await self._prepare()
        except ConnectionLost as exc:
            await self.close()
            raise BotError(f"{exc}; its log says why") from exc
        except BaseException:
            await self.close()
            raise

    async def converse(self, line: Line) -> None:
        """Hold one conversation; see ``Bot``.

        Raises:
            BotError: If the bot is not open.
        """
        if self._life is None or self._life.done():
            raise BotError("the bot is not open")
        self._calls_begun += 1
        ear = self._ears.attach(f"{line.facts.call_id}.{self._calls_begun}")
        try:
            await Conversation(line, ear, self._mind, self._phrases, self._settings).run()
        finally:
            self._ears.detach(ear)

    async def rehearsed(self) -> None:
        """Wait until all fixed sentences and answers have their sound."""
        await self._unsaid.join()

    async def close(self) -> None:
        """Let go of the workers."""
        life, self._life = self._life, None
        if life is not None:
            life.cancel()
            await asyncio.wait([life])

    async def _live(self) -> None:
        """Hold the tasks that all calls share."""
        async with asyncio.TaskGroup() as tasks:
            for client in self._clients:
                tasks.create_task(client.run())
            tasks.create_task(self._ears.run())
            tasks.create_task(self._rehearse())

    async def _rehearse(self) -> None:
        while True:
            await self._phrases.render_all(await self._unsaid.get())
            self._unsaid.task_done()

    async def _prepare(self) -> None:
        ready = await self._workers()
        started_s = time.monotonic()
        await self._mind.learn()
        self._phrases.use_voice(ready["speech-voice"].model)
        fixed = Replies.all_texts(self._settings)
        for sentence in self._phrases.load(fixed[:_FIRST_PHRASES]):
            await self._phrases.render(
                sentence, deadline_ms=_PHRASE_DEADLINE_MS, is_background=False
            )
        answers = [entry.answer for entry in self._mind.entries]
        unsaid = self._phrases.load([*fixed, *answers])
        self._unsaid.put_nowait(unsaid)
        _log.info(
            "the bot knows %d questions; ready after %.1f s, %d phrases are still to be said",
            len(answers),
            time.monotonic() - started_s,
            len(unsaid),
        )

    async def _workers(self) -> dict[str, Ready]:
        """Wait until every worker answers."""
        deadline_s = time.monotonic() + self._workers_wait_s
        ready: dict[str, Ready] = {}
        while True:
            missing = [client for client in self._clients if client.part not in ready]
            for client in missing:
                with suppress(ConnectionLost):
                    ready[client.part] = await client.probe()
            absent = [client.part for client in missing if client.part not in ready]
            if not absent:
                return ready
            if time.monotonic() >= deadline_s:
                raise BotError(
                    f"{absent[0]} is not there after {self._workers_wait_s:.0f} s; its log says why"
                )
            _log.info("waiting for %s", ", ".join(absent))


def _log_death(life: asyncio.Task[None]) -> None:
    if not life.cancelled() and (error := life.exception()) is not None:
        _log.error("the bot has died and takes no more calls", exc_info=error)
