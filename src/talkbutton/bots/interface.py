"""The one interface between a call and whatever talks in it (A1).

A bot gets a ``Line``: the caller's audio comes in as 20 ms frames of 16 kHz PCM, all the time,
speech or not; what the bot says is queued as utterances and played at its own pace. Both
directions run at once. When ``converse`` returns, the call ends.

    class Parrot:
        async def open(self) -> None: ...
        async def close(self) -> None: ...
        async def converse(self, line: Line) -> None:
            async for frame in line.hear():
                line.say("echo", frame.pcm)
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal, Protocol

from talkbutton.events import Scalar
from talkbutton.protocols.audio.frame import Frame

__all__ = ["Bot", "CallFacts", "Heard", "Line", "Speaker"]

Speaker = Literal["visitor", "bot"]


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What a bot may know about a call.

    Attributes:
        call_id: The call's id.
        site: The site whose button was pressed.
        extension: The extension that was dialled.
        duration_max_s: The call ends after so many seconds.
        warning_s: ``Line.ending_soon`` returns so many seconds before that; 0 for never.
        has_consent: Whether the visitor agreed to what the site's owner asks consent for.
    """

    call_id: str
    site: str
    extension: str
    duration_max_s: int
    warning_s: int = 0
    has_consent: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """How much of one utterance left for the caller before it ended or was cut.

    Attributes:
        utterance_id: The id given to ``Line.say``.
        played_ms: Milliseconds that were sent to the caller.
        queued_ms: Milliseconds that had been queued in all.
    """

    utterance_id: str
    played_ms: int
    queued_ms: int


class Line(Protocol):
    """A call, as the bot sees it. Methods without ``async`` never wait."""

    @property
    def facts(self) -> CallFacts:
        """What is known about the call."""

    def hear(self) -> AsyncIterator[Frame]:
        """Yield the caller's audio, one frame every 20 ms, until the call ends.

        One reader at a time. A reader that falls more than 2 s behind loses the oldest frames.
        """

    async def spoken(self) -> bool:
        """Wait until the visitor has spoken for the first time; False if the call ended first.

        Told by loudness (``FirstSpeech``), which is free. A bot that costs money opens its paid
        session after this, so that nobody pays for a call in which nobody speaks; what was said
        until then is still to be read from ``hear``.
        """

    async def ending_soon(self) -> int | None:
        """Wait until the call is about to reach its longest duration; return the seconds left.

        None if the call ended first. A bot says so at the next pause.
        """

    def say(self, utterance_id: str, pcm: bytes) -> None:
        """Queue 16 kHz 16-bit mono PCM of any length behind what is queued already."""

    def cut(self) -> list[Heard]:
        """Drop all queued audio at once (barge-in).

        Returns, oldest first, every utterance that had audio left, with what was played of it.
        """

    @property
    def is_speaking(self) -> bool:
        """Whether queued audio is left to play."""

    def played_ms(self, utterance_id: str) -> int:
        """Return how much of an utterance was played, finished ones included."""

    async def drained(self) -> None:
        """Wait until all queued audio has been played or cut, or the call has ended."""

    def caption(self, speaker: Speaker, utterance_id: str, text: str, *, is_final: bool) -> None:
        """Show words on the visitor's page; the same ``utterance_id`` replaces its words."""

    def report(self, name: str, **measures: Scalar) -> None:
        """Write a call event with the leg ``bot``."""


class Bot(Protocol):
    """Something that can hold conversations; one object serves all calls of a bridge."""

    async def open(self) -> None:
        """Load and check what every call will need.

        Raises:
            BotError: If it can't work; the message says what to do.
        """

    async def converse(self, line: Line) -> None:
        """Hold one conversation. Returning hangs up; cancellation means the call has ended."""

    async def close(self) -> None:
        """Let go of what ``open`` took."""
