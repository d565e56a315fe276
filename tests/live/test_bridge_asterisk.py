"""The bridge with a real Asterisk: audio both ways, and nothing left on every way out."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from support.asterisk import ARI_PASSWORD, running_asterisk
from support.bridge_rig import ScriptedBot, listen_forever, make_secrets, make_ticket
from support.daemons import telephony_rootfs
from support.live_caller import TONE_PEAK, LiveCaller, calling, tone
from talkbutton.bots.echo import EchoBot
from talkbutton.bots.interface import Bot, Line
from talkbutton.bridge.media import rtp_opener
from talkbutton.bridge.program import serve
from talkbutton.protocols.ari.commands import CreateBridge, CreateExternalMedia, HangUp
from talkbutton.protocols.ari.names import bridge_id_of, media_channel_id_of
from talkbutton.protocols.audio.frame import LINE_RATE_HZ
from talkbutton.runtime.bus import BusMessage, LocalBus
from talkbutton.runtime.bus.local import Subscription
from talkbutton.runtime.journal import JournalReader
from talkbutton.settings.model import BridgeSettings, Settings

pytestmark = [pytest.mark.live, pytest.mark.anyio]

HTTP_PORT = 28088
BRIDGE_PORTS = range(27500, 27900)
CALLER_PORTS = (27900, 27999)
TONE_HZ = 1_000

_WAIT_MAX_S = 15.0
_numbers = itertools.count()


@pytest.fixture(scope="module")
def ari_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("asterisk")
    ports = {"http_port": HTTP_PORT, "rtp_first": 27000, "rtp_last": 27499}
    with running_asterisk(telephony_rootfs(), folder, **ports):
        yield HTTP_PORT


def settings_for(codec: str) -> Settings:
    return Settings.model_validate(
        {
            "version": 1,
            "asterisk": {
                "sip_port": 25060,
                "http_port": HTTP_PORT,
                "rtp_ports": {"first": 27000, "last": 27499},
            },
            "bridge": {
                "rtp_ports": {"first": BRIDGE_PORTS.start, "last": BRIDGE_PORTS.stop - 1},
                "codec": codec,
            },
        }
    )


class Bridge:
    """A bridge that runs, and what it says on the bus."""

    def __init__(
        self, task: "asyncio.Task[None]", bus: LocalBus, messages: Subscription, state_dir: Path
    ) -> None:
        self.task = task
        self.bus = bus
        self._messages = messages
        self._state_dir = state_dir

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])

    async def message(self, topic: str, call_id: str | None = None, **expected: object) -> None:
        async with asyncio.timeout(_WAIT_MAX_S):
            async for message in self._messages:
                is_meant = message.topic == topic and call_id in (None, message.call_id)
                if is_meant and expected.items() <= message.data.items():
                    return

    async def cause(self, call_id: str) -> object:
        async with asyncio.timeout(_WAIT_MAX_S):
            while True:
                reader = JournalReader(self._state_dir / "journal.sqlite")
                for event in await reader.events(call_id):
                    if event.name == "call.ended":
                        assert event.data["is_clean"] is True
                        return event.data["cause"]
                await asyncio.sleep(0.02)


@asynccontextmanager
async def running_bridge(
    state_dir: Path, bot: Bot, *, codec: str = "ulaw"
) -> AsyncIterator[Bridge]:
    settings = settings_for(codec)
    bus = LocalBus(state_dir / "bus", "edge")
    bus.open()
    serving = serve(
        settings,
        make_secrets(ari_password=ARI_PASSWORD),
        state_dir,
        bot=bot,
        open_media=rtp_opener(settings),
    )
    try:
        with bus.subscribe("bridge.status", "call.ending") as messages:
            bridge = Bridge(asyncio.create_task(serving), bus, messages, state_dir)
            try:
                await bridge.message("bridge.status", ready=True)
                yield bridge
            finally:
                await bridge.stop()
    finally:
        bus.close()


@pytest.fixture
async def caller(ari_port: int) -> AsyncIterator[LiveCaller]:
    settings = BridgeSettings.model_validate(
        {"rtp_ports": {"first": CALLER_PORTS[0], "last": CALLER_PORTS[1]}}
    )
    async with calling(ari_port, ARI_PASSWORD, settings) as live_caller:
        yield live_caller


def bridge_ports_in_use() -> set[int]:
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    return {int(line.split()[1].split(":")[1], 16) for line in lines} & set(BRIDGE_PORTS)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.05)


async def assert_nothing_left(caller: LiveCaller) -> None:
    """Asterisk has no channel and no bridge, the bridge no port; soon, if not at once."""

    async def is_nothing_left() -> bool:
        return await caller.left_in_asterisk() == ([], []) and not bridge_ports_in_use()

    await until(is_nothing_left)


@pytest.mark.parametrize("codec", ["ulaw", "g722"])
async def test_audio_goes_there_and_back(caller: LiveCaller, tmp_path: Path, codec: str) -> None:
    async with running_bridge(tmp_path, EchoBot(), codec=codec) as bridge:
        call_id, ticket = make_ticket()
        await caller.call(ticket)
        await caller.until_heard_frames(25)
        quiet_until = len(caller.heard)
        caller.say(tone(TONE_HZ, duration_s=0.6))
        await caller.until_heard_frames(quiet_until + 75)
        before = np.frombuffer(b"".join(caller.heard[:quiet_until]), "<i2").astype(float)
        after = np.frombuffer(b"".join(caller.heard[quiet_until:]), "<i2").astype(float)
        assert np.abs(before).max(initial=0) < 200, "only what was said comes back"
        assert np.abs(after).max() == pytest.approx(TONE_PEAK, rel=0.1)
        loud = np.flatnonzero(np.abs(after) > TONE_PEAK / 2)
        loud_s = (loud[-1] - loud[0]) / LINE_RATE_HZ
        assert loud_s == pytest.approx(0.6, abs=0.08)
        assert loud[0] / LINE_RATE_HZ < 0.4, "the way there and back is short"
        spectrum = np.abs(np.fft.rfft(after[loud[0] : loud[-1]]))
        loudest_hz = int(spectrum.argmax()) * LINE_RATE_HZ / (loud[-1] - loud[0])
        assert loudest_hz == pytest.approx(TONE_HZ, abs=20)
        await caller.hang_up()
        assert await bridge.cause(call_id) == "visitor_hung_up"
        await assert_nothing_left(caller)


async def crash(_: Line) -> None:
    raise RuntimeError("a bug in the bot")


async def say_goodbye(line: Line) -> None:
    line.say("bye", tone(TONE_HZ, duration_s=0.2))
    await line.drained()


WayOut = Callable[[Bridge, LiveCaller, str], Awaitable[None]]


async def far_end(_: Bridge, caller: LiveCaller, __: str) -> None:
    await caller.hang_up()


async def edge(bridge: Bridge, _: LiveCaller, call_id: str) -> None:
    bridge.bus.publish(BusMessage("call.hang_up", call_id, {"cause": "visitor_hung_up"}))


async def nobody(_: Bridge, __: LiveCaller, ___: str) -> None:
    return


async def media_channel(_: Bridge, caller: LiveCaller, call_id: str) -> None:
    await caller.link.ask(HangUp(media_channel_id_of(call_id)).request())


@pytest.mark.parametrize(
    ("script", "way_out", "duration_max_s", "cause"),
    [
        (listen_forever, far_end, 600, "visitor_hung_up"),
        (listen_forever, edge, 600, "visitor_hung_up"),
        (listen_forever, media_channel, 600, "media_lost"),
        (listen_forever, nobody, 1, "duration_limit"),
        (say_goodbye, nobody, 600, "bot_hung_up"),
        (crash, nobody, 600, "bot_unavailable"),
    ],
)
async def test_every_way_out_leaves_nothing(
    caller: LiveCaller,
    tmp_path: Path,
    script: Callable[[Line], Awaitable[None]],
    way_out: WayOut,
    duration_max_s: int,
    cause: str,
) -> None:
    bot = ScriptedBot(script)
    async with running_bridge(tmp_path, bot) as bridge:
        tasks_before = asyncio.all_tasks()
        call_id, ticket = make_ticket(duration_max_s=duration_max_s)
        await caller.call(ticket)
        await bot.until_lines(1)
        await way_out(bridge, caller, call_id)
        await bridge.message("call.ending", call_id, cause=cause)
        await assert_nothing_left(caller)
        assert await bridge.cause(call_id) == cause
        await bridge.message("bridge.status", calls=0)
        assert not asyncio.all_tasks() - tasks_before - caller.own_tasks


async def test_stopped_it_leaves_nothing(caller: LiveCaller, tmp_path: Path) -> None:
    bot = ScriptedBot(listen_forever)
    async with running_bridge(tmp_path, bot) as bridge:
        for number in range(1, 4):
            await caller.call(make_ticket()[1])
            await bot.until_lines(number)
        await bridge.stop()
        await assert_nothing_left(caller)


@pytest.mark.parametrize("ticket", ["", "forged"])
async def test_a_caller_without_ticket_is_refused(
    caller: LiveCaller, tmp_path: Path, ticket: str
) -> None:
    bot = ScriptedBot(listen_forever)
    async with running_bridge(tmp_path, bot):
        await caller.originate(ticket)
        await assert_nothing_left(caller)
        assert bot.lines == []
        assert caller.answered == 0


async def test_a_used_ticket_is_refused(caller: LiveCaller, tmp_path: Path) -> None:
    bot = ScriptedBot(listen_forever)
    async with running_bridge(tmp_path, bot) as bridge:
        call_id, ticket = make_ticket()
        await caller.call(ticket)
        await bot.until_lines(1)
        channels = len((await caller.left_in_asterisk())[0])
        await caller.originate(ticket)

        async def is_refused() -> bool:
            return len((await caller.left_in_asterisk())[0]) == channels

        await until(is_refused)
        assert len(bot.lines) == 1
        await edge(bridge, caller, call_id)
        await assert_nothing_left(caller)


async def test_ends_what_a_killed_bridge_left(caller: LiveCaller, tmp_path: Path) -> None:
    call_id, _ = make_ticket()
    async with running_bridge(tmp_path, EchoBot()):  # makes the application known
        bridge = CreateBridge(bridge_id_of(call_id))
        media = CreateExternalMedia(media_channel_id_of(call_id), "127.0.0.1:27998", "ulaw")
    await caller.link.ask(bridge.request())
    (tmp_path / "again").mkdir()
    async with running_bridge(tmp_path / "again", EchoBot()):
        await caller.link.ask(media.request())
        await assert_nothing_left(caller)
