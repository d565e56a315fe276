"""Hears on the bus whether the keeper and the bridge can work."""

import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from talkbutton.operate.stack.beside import beside
from talkbutton.operate.stack.places import Places
from talkbutton.runtime.bus import BusMessage, LocalBus

__all__ = ["Heartbeats", "listening"]

_TOPIC_OF = {"keeper": "keeper.identity", "bridge": "bridge.status"}
_STALE_S = 4.0
_LACKING = {
    "line_free": "another program took over its application in Asterisk: stop that, restart this",
    "line_ready": "it has no connection to Asterisk yet",
    "bot_ready": "its bot is not ready yet",
}


class Heartbeats:
    """The latest heartbeat of each program.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._latest: dict[str, tuple[float, BusMessage]] = {}

    def take(self, message: BusMessage) -> None:
        """Note a heartbeat."""
        self._latest[message.topic] = (self._clock(), message)

    def forget(self, part: str) -> None:
        """Drop what is known about a part, because it was started anew."""
        self._latest.pop(_TOPIC_OF.get(part, ""), None)

    def missing_from(self, part: str) -> str | None:
        """Return None if a part said lately that it is ready, else what is missing."""
        at, message = self._latest.get(_TOPIC_OF[part], (None, None))
        if at is None or message is None or self._clock() - at > _STALE_S:
            return "no heartbeat on the bus"
        if message.data.get("ready") is True:
            return None
        lacking = [words for key, words in _LACKING.items() if message.data.get(key) is False]
        return "; ".join(lacking) or "it says that it is not ready yet"


@asynccontextmanager
async def listening(places: Places, name: str) -> AsyncIterator[Heartbeats]:
    """Hear heartbeats while the context lasts.

    Args:
        places: Folders of the deployment.
        name: This listener's name on the bus, unique there.
    """
    heartbeats, bus = Heartbeats(), LocalBus(places.bus, name)
    # The parts run as another user and must be able to send here; the folder is closed to others.
    mask = os.umask(0)
    try:
        bus.open()
    finally:
        os.umask(mask)
    try:
        with bus.subscribe(*_TOPIC_OF.values()) as messages:
            async with beside(_hear(messages, heartbeats)):
                yield heartbeats
    finally:
        bus.close()


async def _hear(messages: AsyncIterator[BusMessage], heartbeats: Heartbeats) -> None:
    async for message in messages:
        heartbeats.take(message)
