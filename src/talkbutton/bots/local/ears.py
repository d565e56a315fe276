"""Voice activity of all calls, asked for in batches.

Calls hand in windows as they fill; one task collects what has come within a few milliseconds, asks
the worker once for all of them, and hands the probabilities back. While the worker is away, the
loudness of a window stands in for its probability: worse, but the caller is still heard.
"""

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass

from talkbutton.bots.local.speech_client import SpeechClient
from talkbutton.errors import BotError, ConnectionLost
from talkbutton.protocols.audio import level_dbov
from talkbutton.protocols.speech import WINDOW_BYTES

__all__ = ["Ear", "Ears", "Perceived", "loudness_probability"]

_log = logging.getLogger("talkbutton.bots.local")

_GATHER_S = 0.006
"""Windows that come within this are asked for together."""

_DEADLINE_MS = 200
_RETRY_S = 0.3
_BATCH_MAX_CALLS = 200
_LOUD_DBOV = -38.0


@dataclass(frozen=True, slots=True)
class Perceived:
    """One window, and how likely it is speech.

    Attributes:
        pcm: The window.
        probability: That it holds speech.
        received_s: Monotonic seconds at which its last sample had come.
    """

    pcm: bytes
    probability: float
    received_s: float


class Ear:
    """One call's hearing: frames go in, perceived windows come out as an async iterator."""

    def __init__(self, key: str, ears: "Ears") -> None:
        self.key = key
        self.windows: deque[tuple[bytes, float]] = deque()
        self._ears = ears
        self._rest = bytearray()
        self._perceived: asyncio.Queue[Perceived | None] = asyncio.Queue()

    def feed(self, pcm: bytes) -> None:
        """Take the next PCM of the caller; never waits."""
        self._rest += pcm
        while len(self._rest) >= WINDOW_BYTES:
            self.windows.append((bytes(self._rest[:WINDOW_BYTES]), time.monotonic()))
            del self._rest[:WINDOW_BYTES]
            self._ears.wake()

    def perceive(self, perceived: Perceived) -> None:
        """Hand out a window that has been judged."""
        self._perceived.put_nowait(perceived)

    def close(self) -> None:
        """End the iteration after what has been perceived already."""
        self._perceived.put_nowait(None)

    def __aiter__(self) -> "Ear":
        return self

    async def __anext__(self) -> Perceived:
        perceived = await self._perceived.get()
        if perceived is None:
            raise StopAsyncIteration
        return perceived


class Ears:
    """The hearing of all calls of a bridge."""

    def __init__(self, vad: SpeechClient) -> None:
        self._vad = vad
        self._ears: dict[str, Ear] = {}
        self._gone: list[str] = []
        self._awake = asyncio.Event()
        self._retry_at_s = 0.0

    def attach(self, key: str) -> Ear:
        """Begin to listen for a call."""
        assert key not in self._ears, key
        ear = self._ears[key] = Ear(key, self)
        return ear

    def detach(self, ear: Ear) -> None:
        """Stop listening for a call."""
        if self._ears.pop(ear.key, None) is not None:
            self._gone.append(ear.key)
            self.wake()
        ear.close()

    def wake(self) -> None:
        """Say that there is something to do."""
        self._awake.set()

    async def run(self) -> None:
        """Judge windows until cancelled."""
        while True:
            await self._awake.wait()
            await asyncio.sleep(_GATHER_S)
            self._awake.clear()
            self._vad.forget(self._gone)
            self._gone.clear()
            while batch := [ear for ear in self._ears.values() if ear.windows][:_BATCH_MAX_CALLS]:
                await self._judge(batch)

    async def _judge(self, batch: list[Ear]) -> None:
        taken = [ear.windows.popleft() for ear in batch]
        windows = [pcm for pcm, _ in taken]
        probabilities = await self._probabilities([ear.key for ear in batch], windows)
        for ear, (pcm, received_s), probability in zip(batch, taken, probabilities, strict=True):
            ear.perceive(Perceived(pcm, probability, received_s))

    async def _probabilities(self, keys: list[str], windows: list[bytes]) -> list[float]:
        if time.monotonic() >= self._retry_at_s:
            try:
                return list(await self._vad.detect(keys, windows, deadline_ms=_DEADLINE_MS))
            except (ConnectionLost, BotError) as exc:
                self._retry_at_s = time.monotonic() + _RETRY_S
                _log.warning("hearing by loudness for %.1f s: %s", _RETRY_S, exc)
        return [loudness_probability(window) for window in windows]


def loudness_probability(pcm: bytes) -> float:
    """Return a stand-in for the probability of speech: 1 for a loud window, else 0."""
    return 1.0 if level_dbov(pcm) > _LOUD_DBOV else 0.0
