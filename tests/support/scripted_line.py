"""A call without telephony: a script speaks, a bot answers, both are recorded in step."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from talkbutton.bots.interface import CallFacts, Heard, Speaker
from talkbutton.events import Scalar
from talkbutton.protocols.audio.first_speech import FirstSpeech
from talkbutton.protocols.audio.frame import FRAME_MS, LINE_FRAME_BYTES, LINE_RATE_HZ, Frame

SILENCE = bytes(LINE_FRAME_BYTES)


@dataclass(frozen=True, slots=True)
class Caption:
    speaker: Speaker
    utterance_id: str
    text: str
    is_final: bool


@dataclass
class _Utterance:
    queued: bytearray = field(default_factory=bytearray)
    queued_bytes: int = 0
    played_bytes: int = 0


class ScriptedLine:
    """Implements ``Line``; ``run`` moves one frame both ways every ``tick_s``."""

    def __init__(self, *, tick_s: float = FRAME_MS / 1000, call_id: str = "c1") -> None:
        self.facts = CallFacts(call_id, "default", "7000", 600)
        self.caller_track = bytearray()
        self.bot_track = bytearray()
        self.captions: list[Caption] = []
        self.reports: list[tuple[str, dict[str, Scalar]]] = []
        self.cuts_at_ms: list[int] = []
        self._tick_s = tick_s
        self._caller: deque[bytes] = deque()
        self._frames: asyncio.Queue[Frame | None] = asyncio.Queue()
        self._utterances: dict[str, _Utterance] = {}
        self._changed = asyncio.Event()
        self._is_over = False
        self._first_speech = FirstSpeech()
        self._left_s: int | None = None

    # what the script does

    async def run(self) -> None:
        clock = asyncio.get_running_loop().time
        due_s = clock()
        while not self._is_over:
            heard = self._caller.popleft() if self._caller else SILENCE
            self.caller_track += heard
            self._frames.put_nowait(Frame(heard, LINE_RATE_HZ))
            self._first_speech.hear(heard)
            self.bot_track += self._play()
            self._changed.set()
            due_s += self._tick_s
            await asyncio.sleep(max(0.0, due_s - clock()))

    def speak(self, pcm: bytes) -> None:
        padded = pcm + bytes(-len(pcm) % LINE_FRAME_BYTES)
        for start in range(0, len(padded), LINE_FRAME_BYTES):
            self._caller.append(padded[start : start + LINE_FRAME_BYTES])

    def hang_up(self) -> None:
        self._is_over = True
        self._frames.put_nowait(None)
        self._changed.set()

    def end_soon(self, left_s: int) -> None:
        self._left_s = left_s
        self._changed.set()

    async def until(self, condition: Callable[[], bool], *, timeout_s: float = 20) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def until_quiet(self, *, ms: int = 300) -> None:
        """Wait until neither side has said anything for a while."""
        frames = ms // FRAME_MS

        def is_quiet() -> bool:
            tail = self.bot_track[-frames * LINE_FRAME_BYTES :]
            return not (self._caller or self.is_speaking or any(tail))

        await self.until(is_quiet)

    async def until_reported(self, name: str, count: int = 1) -> dict[str, Scalar]:
        await self.until(lambda: len(self.reported(name)) >= count)
        return self.reported(name)[count - 1]

    def reported(self, name: str) -> list[dict[str, Scalar]]:
        return [measures for reported, measures in self.reports if reported == name]

    @property
    def now_ms(self) -> int:
        return len(self.bot_track) // LINE_FRAME_BYTES * FRAME_MS

    def _play(self) -> bytes:
        for utterance in self._utterances.values():
            if utterance.queued:
                pcm = bytes(utterance.queued[:LINE_FRAME_BYTES])
                del utterance.queued[:LINE_FRAME_BYTES]
                utterance.played_bytes += len(pcm)
                return pcm + bytes(LINE_FRAME_BYTES - len(pcm))
        return SILENCE

    # what the bot sees

    async def hear(self) -> AsyncIterator[Frame]:
        while (frame := await self._frames.get()) is not None:
            yield frame

    async def spoken(self) -> bool:
        await self.until(lambda: self._is_over or self._first_speech.was_heard, timeout_s=60)
        return self._first_speech.was_heard

    async def ending_soon(self) -> int | None:
        await self.until(lambda: self._is_over or self._left_s is not None, timeout_s=600)
        return self._left_s

    def say(self, utterance_id: str, pcm: bytes) -> None:
        utterance = self._utterances.setdefault(utterance_id, _Utterance())
        utterance.queued += pcm
        utterance.queued_bytes += len(pcm)

    def cut(self) -> list[Heard]:
        self.cuts_at_ms.append(self.now_ms)
        cut = []
        for utterance_id, utterance in self._utterances.items():
            if utterance.queued:
                utterance.queued.clear()
                cut.append(
                    Heard(utterance_id, utterance.played_bytes // 32, utterance.queued_bytes // 32)
                )
        return cut

    @property
    def is_speaking(self) -> bool:
        return any(utterance.queued for utterance in self._utterances.values())

    def played_ms(self, utterance_id: str) -> int:
        return self._utterances[utterance_id].played_bytes // 32

    async def drained(self) -> None:
        await self.until(lambda: self._is_over or not self.is_speaking, timeout_s=60)

    def caption(self, speaker: Speaker, utterance_id: str, text: str, *, is_final: bool) -> None:
        self.captions.append(Caption(speaker, utterance_id, text, is_final))
        self._changed.set()

    def report(self, name: str, **measures: Scalar) -> None:
        self.reports.append((name, measures))
        self._changed.set()
