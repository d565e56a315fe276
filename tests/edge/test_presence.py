from pathlib import Path
from typing import Any

import pytest

from talkbutton.edge.presence import Presence
from talkbutton.rules.admission import BridgeHeartbeat, KeeperHeartbeat
from talkbutton.runtime.bus import BusMessage, LocalBus

pytestmark = pytest.mark.edge

KEEPER = {"janus": "default", "master_id": 5, "username": "sip:talkbutton@x", "ready": True}
BRIDGE = {"ready": True, "line_ready": True, "bot_ready": True, "calls": 3}


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def presence(tmp_path: Path, clock: Clock) -> Presence:
    return Presence(LocalBus(tmp_path, "edge"), is_gateway_ready=lambda: True, clock=clock)


def test_remembers_the_latest(presence: Presence, clock: Clock) -> None:
    presence.hear(BusMessage("keeper.identity", None, {**KEEPER, "master_id": 4}))
    presence.hear(BusMessage("keeper.identity", None, KEEPER))
    clock.now = 101.0
    presence.hear(BusMessage("bridge.status", None, {**BRIDGE, "bot_ready": False}))
    liveness = presence.liveness
    assert liveness.keeper == KeeperHeartbeat(100.0, True, 5, "sip:talkbutton@x")
    assert liveness.bridge == BridgeHeartbeat(101.0, True, True, False)


def test_a_keeper_that_is_not_ready_or_silent_is_none(presence: Presence, clock: Clock) -> None:
    presence.hear(BusMessage("keeper.identity", None, KEEPER))
    assert presence.keeper is not None
    clock.now = 104.5
    assert presence.keeper is None
    not_ready = {**KEEPER, "master_id": None, "ready": False}
    presence.hear(BusMessage("keeper.identity", None, not_ready))
    assert presence.keeper is None
    assert presence.liveness.keeper == KeeperHeartbeat(104.5, False, 0, "")


def test_the_line_is_down_only_if_a_living_bridge_says_so(presence: Presence, clock: Clock) -> None:
    assert not presence.is_line_down
    presence.hear(BusMessage("bridge.status", None, {**BRIDGE, "line_ready": False}))
    assert presence.is_line_down
    clock.now = 104.5
    assert not presence.is_line_down


@pytest.mark.parametrize(
    ("topic", "content"),
    [
        ("keeper.identity", {}),
        ("keeper.identity", {**KEEPER, "master_id": None}),
        ("keeper.identity", {**KEEPER, "ready": "yes"}),
        ("bridge.status", {"ready": True}),
        ("bridge.status", {**BRIDGE, "bot_ready": 1}),
        ("caption", KEEPER),
    ],
)
def test_a_wrong_heartbeat_is_none(presence: Presence, topic: str, content: dict[str, Any]) -> None:
    presence.hear(BusMessage(topic, None, content))
    assert presence.liveness.keeper is None
    assert presence.liveness.bridge is None
