"""Understands an utterance: words by the transcriber, their meaning by MiniLM and the knowledge."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from talkbutton.bots.local.answering import Decision, decide_by_meaning, decide_by_words
from talkbutton.bots.local.knowledge import Entry
from talkbutton.bots.local.speech_client import SpeechClient

__all__ = ["Mind", "Understood"]

_TRANSCRIBE_DEADLINE_MS = 2_000
_MEANING_DEADLINE_MS = 1_000
_LEARNING_DEADLINE_MS = 30_000


@dataclass(frozen=True, slots=True)
class Understood:
    """One utterance of the caller.

    Attributes:
        text: Its words; empty if there were none.
        decision: What to do about it; None without words.
        log_probability: How sure recognition is; 0 is certain.
        transcribe_ms: From asking the transcriber to its answer.
        meaning_ms: Time that finding the decision took.
    """

    text: str
    decision: Decision | None
    log_probability: float
    transcribe_ms: int
    meaning_ms: int


class Mind:
    """What all calls share of understanding.

    Args:
        entries: The knowledge.
        transcriber: The worker that writes down.
        meaning: The worker that places texts.
        threshold: Least similarity that answers.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        transcriber: SpeechClient,
        meaning: SpeechClient,
        *,
        threshold: float,
    ) -> None:
        self.entries = entries
        self._transcriber = transcriber
        self._meaning = meaning
        self._threshold = threshold
        self._places: NDArray[np.float32] | None = None

    async def learn(self) -> None:
        """Place all wordings of the knowledge.

        Raises:
            ConnectionLost: If the worker can't be reached or is late.
            BotError: If the model failed.
        """
        wordings = [wording for entry in self.entries for wording in entry.all_wordings]
        self._places = await self._meaning.embed(wordings, deadline_ms=_LEARNING_DEADLINE_MS)

    async def understand(self, pcm: bytes) -> Understood:
        """Return what is said in ``pcm`` and what to do about it.

        Raises:
            ConnectionLost: If a worker can't be reached or is late.
            BotError: If a model failed.
        """
        started_s = time.monotonic()
        heard = await self._transcriber.transcribe(pcm, deadline_ms=_TRANSCRIBE_DEADLINE_MS)
        written_s = time.monotonic()
        decision = await self.decide(heard.text) if heard.text else None
        return Understood(
            heard.text,
            decision,
            heard.log_probability,
            round((written_s - started_s) * 1000),
            round((time.monotonic() - written_s) * 1000),
        )

    async def decide(self, text: str) -> Decision:
        """Return what to do about ``text``; asks for its meaning only where words don't tell.

        Raises:
            ConnectionLost: If the worker can't be reached or is late.
            BotError: If the model failed.
        """
        assert self._places is not None, "learn() first"
        if (decision := decide_by_words(text, self.entries)) is not None:
            return decision
        [place] = await self._meaning.embed([text], deadline_ms=_MEANING_DEADLINE_MS)
        similarities = [float(similarity) for similarity in self._places @ place]
        return decide_by_meaning(self.entries, similarities, threshold=self._threshold)
