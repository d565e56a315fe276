"""What to do about what was heard: pure.

Commands such as "goodbye" or "a real person, please" are found by their words, a little fuzzily,
because recognition over the telephone band errs most on single words. Everything else is a
question, answered from the knowledge by nearness of meaning.
"""

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from talkbutton.bots.local.knowledge import Entry, normalize

__all__ = [
    "Answer",
    "Command",
    "Decision",
    "Order",
    "Unknown",
    "decide_by_meaning",
    "decide_by_words",
    "is_backchannel",
    "match_command",
    "split_sentences",
    "words_heard",
]


class Command(enum.Enum):
    """What a visitor may want besides an answer."""

    HAND_OVER = "hand_over"
    GOODBYE = "goodbye"
    THANKS = "thanks"
    STOP = "stop"
    REPEAT = "repeat"
    PRESENCE = "presence"
    YES = "yes"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Answer:
    """The knowledge has it.

    Attributes:
        entry: The question that was meant.
        similarity: Cosine of the nearest wording.
    """

    entry: Entry
    similarity: float


@dataclass(frozen=True, slots=True)
class Order:
    """The visitor wants the bot to do something."""

    command: Command


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing known is near enough.

    Attributes:
        similarity: Of what came nearest; None without any knowledge to compare.
    """

    similarity: float | None


Decision = Answer | Order | Unknown

_PHRASES: dict[Command, tuple[str, ...]] = {
    Command.GOODBYE: (
        "goodbye", "bye", "bye bye", "see you", "that is all", "that's all", "that was all",
        "i am done", "hang up", "end the call", "have a nice day", "nothing else",
    ),
    Command.THANKS: ("thank you", "thanks", "thank you very much", "thanks a lot", "many thanks"),
    Command.STOP: (
        "stop", "stop it", "stop that", "stop talking", "be quiet", "cancel", "cancel that",
        "never mind", "nevermind", "forget it", "wait", "wait a moment", "hold on", "no stop",
    ),
    Command.REPEAT: (
        "repeat", "again", "pardon", "pardon me", "come again", "what did you say", "once more",
        "what was that", "excuse me", "i did not understand", "i didn't understand",
        "i did not hear you", "i didn't hear you", "i didn't catch that", "i did not catch that",
    ),
    Command.PRESENCE: (
        "hello", "hi", "hello is anyone there", "is anyone there", "anyone there", "hello there",
        "are you there", "are you still there", "can you hear me", "good morning", "hello hello",
        "good afternoon", "good evening", "is anybody there", "hello can you hear me",
    ),
    Command.YES: ("yes", "yes please", "yeah", "yep", "yes i do", "of course", "sure", "correct"),
    Command.NO: ("no", "nope", "no thank you", "no thanks", "not really", "no i do not"),
    Command.HAND_OVER: (
        "real person", "a real person", "a person", "human", "a human", "a human being",
        "operator", "agent", "a live agent", "customer support", "representative", "talk to sales",
    ),
}  # fmt: skip

_MISHEARD = {"tat": "stop", "top": "stop", "stopped": "stop", "council": "cancel", "buy": "bye"}
"""What recognition makes of a lone command in the telephone band."""

_BACKCHANNELS = frozenset(
    (
        "um", "mhm", "mm", "mmm", "mm hmm", "hm", "hmm", "uh huh", "aha", "ah", "oh", "okay", "ok",
        "yeah", "yes", "right", "i see", "sure", "alright", "all right", "good", "great", "uh",
    )
)  # fmt: skip

_FILLERS = frozenset(("um", "uh", "er", "please", "well", "so", "oh", "hey", "okay", "ok", "then"))
_PEOPLE = (
    "person|human|agent|operator|representative|someone|somebody|sales|staff|manager|colleague|"
    "employee|mechanic|advisor|support|real people|a team member"
)
_WANTS_PERSON = re.compile(
    rf"\b(?:speak|talk|connect|transfer|put me through|pass me|reach)\b.*\b(?:{_PEOPLE})\b"
)
_ABOUT_THE_BOT = re.compile(r"^(?:am i|are you|is this|do i|who)\b")
_WANTS_REPEAT = re.compile(r"\b(?:repeat|say) (?:that|it|this)\b|\bsay (?:that )?again\b")
_SAYS_GOODBYE = re.compile(r"\b(?:goodbye|good bye|bye)\b|\bhang up\b")
_GOODBYE_MAX_WORDS = 8
_FUZZY_FROM_CHARACTERS = 5
_FUZZY_RATIO = 0.86

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def match_command(text: str) -> Command | None:
    """Return the command that ``text`` is, if it is one."""
    said = normalize(text)
    words = [word for word in said.split() if word not in _FILLERS]
    said = " ".join(words) or said
    said = _MISHEARD.get(said, said)
    if not said:
        return None
    if _SAYS_GOODBYE.search(said) and len(words) <= _GOODBYE_MAX_WORDS:
        return Command.GOODBYE
    if _WANTS_PERSON.search(said) and not _ABOUT_THE_BOT.match(said):
        return Command.HAND_OVER
    if _WANTS_REPEAT.search(said):
        return Command.REPEAT
    return _match_phrase(said)


def _match_phrase(said: str) -> Command | None:
    nearest: tuple[float, Command] | None = None
    for command, phrases in _PHRASES.items():
        for phrase in phrases:
            if said == phrase:
                return command
            if min(len(said), len(phrase)) >= _FUZZY_FROM_CHARACTERS:
                ratio = SequenceMatcher(None, said, phrase).ratio()
                if ratio >= _FUZZY_RATIO and (nearest is None or ratio > nearest[0]):
                    nearest = (ratio, command)
    return nearest[1] if nearest else None


def is_backchannel(text: str) -> bool:
    """Return whether ``text`` only says "go on", like "mhm": no interruption after all."""
    return normalize(text) in _BACKCHANNELS or not normalize(text)


def decide_by_words(text: str, entries: Sequence[Entry]) -> Decision | None:
    """Return what to do about ``text``, if its words alone tell.

    What the owner wrote down word for word goes before a command.
    """
    said = normalize(text)
    for entry in entries:
        if any(normalize(wording) == said for wording in entry.all_wordings):
            return Answer(entry, 1.0)
    command = match_command(text)
    return None if command is None else Order(command)


def decide_by_meaning(
    entries: Sequence[Entry], similarities: Sequence[float], *, threshold: float
) -> Decision:
    """Return the answer to the known question that is nearest, if it is near enough.

    Args:
        entries: The knowledge.
        similarities: Of what was heard to every wording of every entry, in order.
        threshold: Least similarity that answers.
    """
    owners = [entry for entry in entries for _ in entry.all_wordings]
    assert len(owners) == len(similarities), (len(owners), len(similarities))
    if not owners:
        return Unknown(None)
    similarity, nearest = max(zip(similarities, range(len(owners)), strict=True))
    if similarity < threshold:
        return Unknown(similarity)
    return Answer(owners[nearest], similarity)


def split_sentences(text: str) -> list[str]:
    """Return the sentences of ``text``, each with its end mark."""
    return [sentence for sentence in _SENTENCE_END.split(text.strip()) if sentence]


def words_heard(text: str, fraction: float) -> str:
    """Return the words of ``text`` that fit into the ``fraction`` of its sound that was heard."""
    words = text.split()
    letters_left = fraction * len("".join(words))
    heard: list[str] = []
    for word in words:
        letters_left -= len(word)
        if letters_left < -len(word) / 2:
            break
        heard.append(word)
    return " ".join(heard)
