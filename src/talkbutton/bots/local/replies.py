"""Which words follow from a decision: pure, with the little memory that takes."""

from dataclasses import dataclass

from talkbutton.bots.local import wording
from talkbutton.bots.local.answering import Answer, Command, Decision, Order, Unknown
from talkbutton.settings.model import BotSettings

__all__ = ["Replies", "Reply"]

_SIMPLE = {
    Command.THANKS: wording.WELCOME,
    Command.STOP: wording.SILENCED,
    Command.PRESENCE: wording.PRESENT,
    Command.YES: wording.YES,
    Command.NO: wording.NOTHING_MORE,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What the bot is going to say, and why.

    Attributes:
        kind: ``answer``, ``unknown``, ``not_heard``, ``apology``, or a command's value.
        text: The words.
        question: The known question that is answered.
        similarity: How near it is, or was, where nothing was near enough.
        is_last: The bot hangs up when it has said this.
    """

    kind: str
    text: str
    question: str | None = None
    similarity: float | None = None
    is_last: bool = False


class Replies:
    """One call's replies."""

    def __init__(self, settings: BotSettings) -> None:
        self._settings = settings
        self._last_said = settings.greeting
        self._has_offered_more = False

    @staticmethod
    def all_texts(settings: BotSettings) -> list[str]:
        """Return everything a bot may say besides answers, the most urgent first."""
        return [
            settings.greeting,
            wording.APOLOGY,
            settings.unknown,
            settings.hand_over,
            settings.goodbye,
            settings.ending_soon,
            *wording.FIXED,
        ]

    def choose(self, decision: Decision | None) -> Reply:
        """Return what to say to ``decision``; None stands for speech without words."""
        reply = self._reply_to(decision)
        self._has_offered_more = reply.text == wording.WELCOME
        self._last_said = reply.text
        return reply

    def _reply_to(self, decision: Decision | None) -> Reply:
        match decision:
            case None:
                return Reply("not_heard", wording.NOT_HEARD)
            case Answer(entry, similarity):
                return Reply("answer", entry.answer, entry.question, similarity)
            case Unknown(similarity):
                return Reply("unknown", self._settings.unknown, similarity=similarity)
            case Order(Command.GOODBYE):
                return self._goodbye()
            case Order(Command.NO) if self._has_offered_more:
                return self._goodbye()
            case Order(Command.HAND_OVER):
                return Reply("hand_over", self._settings.hand_over)
            case Order(Command.REPEAT):
                return Reply("repeat", self._last_said)
            case Order(command):
                return Reply(command.value, _SIMPLE[command])

    def _goodbye(self) -> Reply:
        return Reply("goodbye", self._settings.goodbye, is_last=True)
