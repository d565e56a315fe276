"""What the bot says, as sound: kept on disk, made anew only for another text or another voice.

The unit is a sentence, so that a long answer starts as soon as its first sentence exists.
"""

import asyncio
import hashlib
import logging
import os
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, suppress
from pathlib import Path

from talkbutton.bots.local.answering import split_sentences
from talkbutton.bots.local.speech_client import SpeechClient
from talkbutton.errors import BotError, ConnectionLost

__all__ = ["Phrases"]

_log = logging.getLogger("talkbutton.bots.local")

_LIVE_DEADLINE_MS = 3_000
"""For one sentence that a caller waits for."""

_BACKGROUND_DEADLINE_MS = 60_000
_ATTEMPT_PAUSE_S = 1.0
_LOG_EVERY_PHRASES = 20


class Phrases:
    """Sound of sentences, from memory, disk or the voice.

    Args:
        folder: Where sound is kept; made if need be.
        voice: The worker.
    """

    def __init__(self, folder: Path, voice: SpeechClient) -> None:
        self._folder = folder
        self._voice = voice
        self._model = ""
        self._known: dict[str, bytes] = {}

    def use_voice(self, model: str) -> None:
        """Keep to the sound of this voice from now on."""
        self._model = model
        self._known.clear()

    def load(self, texts: Iterable[str]) -> list[str]:
        """Read what the disk has of ``texts``; return the sentences that it has not, in order."""
        sentences = dict.fromkeys(sentence for text in texts for sentence in split_sentences(text))
        return [sentence for sentence in sentences if not self._read(sentence)]

    def known(self, sentence: str) -> bytes | None:
        """Return the sound of one sentence, if it is at hand."""
        return self._known.get(sentence)

    async def render(self, sentence: str, *, deadline_ms: int, is_background: bool) -> None:
        """Make the sound of one sentence and keep it.

        Raises:
            ConnectionLost: If the voice can't be reached or is late.
            BotError: If the voice failed.
        """
        pieces = self._voice.speak(sentence, deadline_ms=deadline_ms, is_background=is_background)
        pcm = b"".join([piece async for piece in pieces])
        if not pcm:
            raise BotError(f"the voice has no sound for {sentence!r}; use other words")
        self._keep(sentence, pcm)

    async def render_all(self, sentences: list[str]) -> None:
        """Make the sound of all ``sentences`` while nobody waits for it; never gives up."""
        for done, sentence in enumerate(sentences, start=1):
            while self.known(sentence) is None:
                try:
                    await self.render(
                        sentence, deadline_ms=_BACKGROUND_DEADLINE_MS, is_background=True
                    )
                except ConnectionLost as exc:
                    _log.warning("a phrase must wait: %s", exc)
                    await asyncio.sleep(_ATTEMPT_PAUSE_S)
                except BotError as exc:
                    _log.error("a phrase is left out: %s", exc)
                    break
            if done % _LOG_EVERY_PHRASES == 0 or done == len(sentences):
                _log.info("the voice has said %d of %d new phrases", done, len(sentences))

    async def sound(self, sentence: str) -> AsyncGenerator[bytes, None]:
        """Yield the sound of one sentence in pieces, as soon as they exist.

        Raises:
            ConnectionLost: If the voice can't be reached or is late.
            BotError: If the voice failed.
        """
        if (pcm := self.known(sentence)) is not None:
            yield pcm
            return
        pieces: list[bytes] = []
        speaking = self._voice.speak(sentence, deadline_ms=_LIVE_DEADLINE_MS)
        async with aclosing(speaking):
            async for piece in speaking:
                pieces.append(piece)
                yield piece
        if pieces:
            self._keep(sentence, b"".join(pieces))

    def _path(self, sentence: str) -> Path:
        digest = hashlib.sha256(f"{self._model}\0{sentence}".encode()).hexdigest()
        return self._folder / f"{digest[:32]}.pcm"

    def _read(self, sentence: str) -> bool:
        if sentence in self._known:
            return True
        try:
            pcm = self._path(sentence).read_bytes()
        except OSError:
            return False
        if not pcm or len(pcm) % 2:
            return False
        self._known[sentence] = pcm
        return True

    def _keep(self, sentence: str, pcm: bytes) -> None:
        self._known[sentence] = pcm
        path = self._path(sentence)
        unfinished = path.with_suffix(f".{os.getpid()}.part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(pcm)
            unfinished.replace(path)
        except OSError as exc:
            _log.warning("%s can not be kept: %s; it is in memory only", path, exc.strerror)
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
