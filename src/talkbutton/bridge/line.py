"""A call as its bot sees it: ``talkbutton.bots.interface.Line`` over a play queue."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from talkbutton.bots.interface import CallFacts, Heard, Speaker
from talkbutton.bridge.play_queue import PlayQueue
from talkbutton.events import Scalar
from talkbutton.protocols.audio.first_speech import FirstSpeech
from talkbutton.protocols.audio.frame import LINE_RATE_HZ, Frame

__all__ = ["CallLine", "PublishCaption", "ReportEvent"]

_HEARD_MAX_FRAMES = 100  # 2 s
_CAPTION_MAX_CHARACTERS = 2_000  # far below the bus's longest message, whatever the script

PublishCaption = Callable[[Speaker, str, str, bool], None]
"""Takes speaker, utterance id, text and whether it is final."""

ReportEvent = Callable[[str, dict[str, Scalar]], None]
"""Takes an event's name and its measures."""


class CallLine:
    """One call's two directions of audio, as queues that never make the media wait.

    Args:
        facts: What the bot may know about the call.
        publish_caption: Brings words to the visitor's page.
        report_event: Writes a call event with the leg ``bot``.
    """

    def __init__(
        self, facts: CallFacts, *, publish_caption: PublishCaption, report_event: ReportEvent
    ) -> None:
        self.dropped_frames = 0
        self._facts = facts
        self._publish_caption = publish_caption
        self._report_event = report_event
        self._play_queue = PlayQueue()
        self._drained = asyncio.Event()
        self._drained.set()
        self._heard: deque[Frame] = deque()
        self._has_heard = asyncio.Event()
        self._is_open = self._is_closed = False
        self._has_sounded = False
        self._first_speech = FirstSpeech()
        self._was_spoken = asyncio.Event()
        self._left_s: int | None = None
        self._ends_soon = asyncio.Event()

    @property
    def facts(self) -> CallFacts:
        """What is known about the call."""
        return self._facts

    async def hear(self) -> AsyncIterator[Frame]:
        """Yield the caller's audio, one frame every 20 ms, until the call ends."""
        while True:
            while self._heard:
                yield self._heard.popleft()
            if self._is_closed:
                return
            self._has_heard.clear()
            await self._has_heard.wait()

    async def spoken(self) -> bool:
        """Wait until the visitor has spoken for the first time; False if the call ended first."""
        await self._was_spoken.wait()
        return self._first_speech.was_heard

    async def ending_soon(self) -> int | None:
        """Wait until the longest duration is near; return the seconds left, None at the end."""
        await self._ends_soon.wait()
        return self._left_s

    def say(self, utterance_id: str, pcm: bytes) -> None:
        """Queue audio behind what is queued already; after the call it is dropped.

        Raises:
            ValueError: If it ends in the middle of a sample.
        """
        if self._is_closed:
            return
        self._play_queue.say(utterance_id, pcm)
        if not self._play_queue.is_empty:
            self._drained.clear()

    def cut(self) -> list[Heard]:
        """Drop all queued audio; return what was heard of each utterance that had some left."""
        heard = self._play_queue.cut()
        self._drained.set()
        return heard

    @property
    def is_speaking(self) -> bool:
        """Whether queued audio is left to play."""
        return not self._play_queue.is_empty

    def played_ms(self, utterance_id: str) -> int:
        """Return how much of an utterance was played, finished ones included."""
        return self._play_queue.played_ms(utterance_id)

    async def drained(self) -> None:
        """Wait until all queued audio has been played or cut, or the call has ended."""
        await self._drained.wait()

    def caption(self, speaker: Speaker, utterance_id: str, text: str, *, is_final: bool) -> None:
        """Show words on the visitor's page; very long ones are shortened."""
        self._publish_caption(speaker, utterance_id, text[:_CAPTION_MAX_CHARACTERS], is_final)

    def report(self, name: str, **measures: Scalar) -> None:
        """Write a call event with the leg ``bot``."""
        self._report_event(name, measures)

    def open(self) -> None:
        """Let the bot hear from now on: what came before it listens would reach it late."""
        self._is_open = True

    def deliver(self, frame: Frame) -> None:
        """Take a frame of the caller's audio; the oldest is lost if the bot is 2 s behind."""
        if self._is_closed or not self._is_open:
            return
        if self._first_speech.hear(frame.pcm):
            self._was_spoken.set()
            self._report_event("visitor.spoke", {})
        if len(self._heard) >= _HEARD_MAX_FRAMES:
            self._heard.popleft()
            self.dropped_frames += 1
        self._heard.append(frame)
        self._has_heard.set()

    def next_frame(self) -> Frame | None:
        """Return the frame to send now; None for silence."""
        pcm = self._play_queue.next_frame()
        if pcm is None:
            return None
        if not self._has_sounded:
            self._has_sounded = True
            self._report_event("bot.first_audio_sent", {})
        if self._play_queue.is_empty:
            self._drained.set()
        return Frame(pcm, LINE_RATE_HZ)

    def end_soon(self, left_s: int) -> None:
        """Let ``ending_soon`` return: the call ends in ``left_s`` seconds."""
        self._left_s = left_s
        self._ends_soon.set()

    def close(self) -> None:
        """End both directions: whoever waits goes on, and what is queued is dropped."""
        self._is_closed = True
        self._play_queue.cut()
        for waited_for in (self._drained, self._has_heard, self._was_spoken, self._ends_soon):
            waited_for.set()
