"""Who is alive, from the heartbeats on the bus."""

import time
from collections.abc import Callable

from talkbutton.rules.admission import (
    HEARTBEAT_MAX_AGE_S,
    BridgeHeartbeat,
    KeeperHeartbeat,
    Liveness,
)
from talkbutton.runtime.bus import BusMessage, LocalBus

__all__ = ["Presence"]

_KEEPER_TOPIC = "keeper.identity"
_BRIDGE_TOPIC = "bridge.status"


class Presence:
    """Remembers the latest heartbeat of each program.

    Args:
        bus: Where heartbeats are heard.
        is_gateway_ready: Tells whether this program's own connection to Janus works.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        bus: LocalBus,
        *,
        is_gateway_ready: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bus = bus
        self._is_gateway_ready = is_gateway_ready
        self._clock = clock
        self._keeper: KeeperHeartbeat | None = None
        self._bridge: BridgeHeartbeat | None = None

    async def run(self) -> None:
        """Listen, until cancelled."""
        with self._bus.subscribe(_KEEPER_TOPIC, _BRIDGE_TOPIC) as heartbeats:
            async for message in heartbeats:
                self.hear(message)

    def hear(self, message: BusMessage) -> None:
        """Take one heartbeat; one of the wrong form counts as none."""
        if message.topic == _KEEPER_TOPIC:
            self._keeper = _read_keeper(message, self._clock()) or self._keeper
        elif message.topic == _BRIDGE_TOPIC:
            self._bridge = _read_bridge(message, self._clock()) or self._bridge

    @property
    def now(self) -> float:
        """Monotonic seconds, on the clock of ``liveness``."""
        return self._clock()

    @property
    def liveness(self) -> Liveness:
        """What ``admit`` wants to know."""
        return Liveness(self._is_gateway_ready(), self._keeper, self._bridge)

    @property
    def keeper(self) -> KeeperHeartbeat | None:
        """The keeper, if it is alive and ready."""
        keeper = self._keeper
        if keeper is None or not keeper.is_ready:
            return None
        return keeper if self._clock() - keeper.heard_s <= HEARTBEAT_MAX_AGE_S else None

    @property
    def is_line_down(self) -> bool:
        """Whether a living bridge says that it cannot reach Asterisk."""
        bridge = self._bridge
        if bridge is None or self._clock() - bridge.heard_s > HEARTBEAT_MAX_AGE_S:
            return False
        return not bridge.is_line_ready


def _read_keeper(message: BusMessage, now: float) -> KeeperHeartbeat | None:
    match message.data:
        case {"ready": True, "master_id": int(master_id), "username": str(username)}:
            return KeeperHeartbeat(now, True, master_id, username)
        case {"ready": False}:
            return KeeperHeartbeat(now, False, 0, "")
        case _:
            return None


def _read_bridge(message: BusMessage, now: float) -> BridgeHeartbeat | None:
    match message.data:
        case {"ready": bool(is_ready), "line_ready": bool(is_line), "bot_ready": bool(is_bot)}:
            return BridgeHeartbeat(now, is_ready, is_line, is_bot)
        case _:
            return None
