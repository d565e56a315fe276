"""Says things on a line, knows how much of them was heard, and can go on after a false alarm."""

from collections import OrderedDict
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from talkbutton.bots.interface import Heard, Line
from talkbutton.bots.local.answering import split_sentences, words_heard
from talkbutton.bots.local.phrases import Phrases
from talkbutton.protocols.audio.frame import LINE_RATE_HZ

__all__ = ["Interrupted", "Mouth"]

_BYTES_PER_MS = LINE_RATE_HZ * 2 // 1000
_OVERLAP_MS = 400
"""What is said again when the bot goes on, so that no word is lost."""


_RECENT_MAX = 8
"""Utterances remembered; a line rarely has more than two queued."""


@dataclass
class _Utterance:
    """Something said, or being said."""

    utterance_id: str
    sentences: list[str]
    sounds: list[bytearray] = field(default_factory=list)  # of the sentences begun so far

    @property
    def pcm(self) -> bytes:
        """All the sound so far."""
        return b"".join(self.sounds)


@dataclass(frozen=True, slots=True)
class Interrupted:
    """What was heard of an utterance that was cut.

    Attributes:
        utterance_id: Its id.
        heard_ms: Milliseconds that were played.
        queued_ms: Milliseconds that had been queued.
        heard_text: The words in what was played, by proportion within a sentence.
    """

    utterance_id: str
    heard_ms: int
    queued_ms: int
    heard_text: str


class Mouth:
    """The bot's voice in one call."""

    def __init__(self, line: Line, phrases: Phrases) -> None:
        self._line = line
        self._phrases = phrases
        self._utterances_begun = 0
        self._recent: OrderedDict[str, _Utterance] = OrderedDict()
        self._interrupted: tuple[_Utterance, int] | None = None  # with what was heard in ms

    async def say(self, text: str, began: Callable[[str], None]) -> None:
        """Queue ``text``, sentence by sentence; what is at hand is queued without waiting.

        Args:
            text: What to say.
            began: Called with the utterance's id when its first sound is queued.

        Raises:
            ConnectionLost: If the voice can't be reached or is late.
            BotError: If the voice failed.
        """
        utterance = self._begin(split_sentences(text))

        def first_sound(utterance_id: str) -> None:
            self._line.caption("bot", utterance_id, text, is_final=True)
            began(utterance_id)

        await self._queue(utterance, first_sound)

    def cut(self) -> list[Interrupted]:
        """Be silent at once; return what was not said to its end, oldest first."""
        interrupted = [self._judge(heard) for heard in self._line.cut()]
        return [one for one in interrupted if one is not None]

    async def go_on(self) -> bool:
        """Say the rest of what was cut last, for it was no interruption.

        Returns:
            Whether there was a rest.

        Raises:
            ConnectionLost: If the voice can't be reached or is late.
            BotError: If the voice failed.
        """
        if self._interrupted is None:
            return False
        cut, heard_ms = self._interrupted
        rest = cut.pcm[max(0, heard_ms - _OVERLAP_MS) * _BYTES_PER_MS :]
        unsaid = cut.sentences[len(cut.sounds) :]
        utterance = self._begin([*cut.sentences[: len(cut.sounds)], *unsaid])
        utterance.sounds = [bytearray() for _ in cut.sounds]
        if utterance.sounds:
            utterance.sounds[-1] += rest
        self._line.say(utterance.utterance_id, rest)
        await self._queue(utterance, lambda _: None)
        return True

    def _begin(self, sentences: list[str]) -> _Utterance:
        self._interrupted = None
        self._utterances_begun += 1
        utterance = _Utterance(f"b{self._utterances_begun}", sentences)
        self._recent[utterance.utterance_id] = utterance
        if len(self._recent) > _RECENT_MAX:
            self._recent.popitem(last=False)
        return utterance

    async def _queue(self, utterance: _Utterance, first_sound: Callable[[str], None]) -> None:
        """Queue the sentences that have no sound yet."""
        is_begun = False
        while len(utterance.sounds) < len(utterance.sentences):
            sentence = utterance.sentences[len(utterance.sounds)]
            utterance.sounds.append(bytearray())
            pieces = self._phrases.sound(sentence)
            async with aclosing(pieces):
                async for piece in pieces:
                    self._line.say(utterance.utterance_id, piece)
                    utterance.sounds[-1] += piece
                    if not is_begun:
                        is_begun = True
                        first_sound(utterance.utterance_id)

    def _judge(self, heard: Heard) -> Interrupted | None:
        utterance = self._recent.get(heard.utterance_id)
        if utterance is None:
            return None
        if heard.queued_ms - heard.played_ms > _OVERLAP_MS:
            self._interrupted = (utterance, heard.played_ms)
        return Interrupted(
            heard.utterance_id, heard.played_ms, heard.queued_ms, _words(utterance, heard.played_ms)
        )


def _words(utterance: _Utterance, played_ms: int) -> str:
    """Return the words within the first ``played_ms`` of an utterance."""
    words: list[str] = []
    for sentence, sound in zip(utterance.sentences, utterance.sounds, strict=False):
        duration_ms = len(sound) / _BYTES_PER_MS
        if played_ms <= 0 or not duration_ms:
            break
        words.append(words_heard(sentence, min(1.0, played_ms / duration_ms)))
        played_ms -= round(duration_ms)
    return " ".join(filter(None, words))
