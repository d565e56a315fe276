"""A bridge between a fake Asterisk and a scripted bot, with media that tests move by hand."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.fake_asterisk import FakeAsterisk, fake_asterisk
from talkbutton.bots.interface import Bot, Line
from talkbutton.bridge.program import serve
from talkbutton.errors import StackError
from talkbutton.events import CallEvent, Scalar
from talkbutton.ids import make_call_id
from talkbutton.protocols.ari.steps import CallTiming
from talkbutton.protocols.audio.frame import Frame
from talkbutton.protocols.ticket import Ticket, sign_ticket
from talkbutton.runtime.bus import BusMessage, LocalBus
from talkbutton.runtime.bus.local import Subscription
from talkbutton.runtime.journal import JournalReader
from talkbutton.settings.model import BridgeSecrets, BridgeSettings, Settings

__all__ = ["FakeMedia", "Rig", "ScriptedBot", "listen_forever", "running_bridge"]

ARI_PASSWORD = "ari-password-of-the-test-0123456789"
TICKET_KEY = "ticket-key-of-the-test-0123456789"

_WAIT_MAX_S = 8.0
_numbers = itertools.count(1)


class FakeMedia:
    """A media port without a socket; ``flows`` says whether Asterisk sends."""

    def __init__(self, *, flows: bool = True) -> None:
        self.peer: tuple[str, int] | None = None
        self.is_closed = False
        self.broken = asyncio.Event()
        self._flows = flows
        self._first_packet = asyncio.Event()
        self._deliver: Callable[[Frame], None] | None = None
        self._next_frame: Callable[[], Frame | None] | None = None

    @property
    def local_address(self) -> tuple[str, int]:
        return ("127.0.0.1", 27500)

    def pin_peer(self, host: str, port: int) -> None:
        self.peer = (host, port)
        if self._flows:
            self._first_packet.set()

    async def run(
        self, deliver: Callable[[Frame], None], next_frame: Callable[[], Frame | None]
    ) -> None:
        self._deliver, self._next_frame = deliver, next_frame
        await self.broken.wait()
        raise OSError("the network is gone")

    async def received_first_packet(self) -> None:
        await self._first_packet.wait()

    def statistics(self) -> Mapping[str, Scalar]:
        return {"received_packets": 0}

    def close(self) -> None:
        self.is_closed = True

    def exchange(self, frame: Frame) -> Frame | None:
        """Let 20 ms pass."""
        assert self._deliver is not None
        assert self._next_frame is not None
        self._deliver(frame)
        return self._next_frame()


class ScriptedBot:
    """Talks as a function says; fails to open as often as told."""

    def __init__(self, script: Callable[[Line], Awaitable[None]]) -> None:
        self.open_failures: list[Exception] = []
        self.lines: list[Line] = []
        self.cancelled = 0
        self.is_closed = False
        self._script = script
        self._changed = asyncio.Event()

    async def open(self) -> None:
        if self.open_failures:
            raise self.open_failures.pop(0)

    async def converse(self, line: Line) -> None:
        self.lines.append(line)
        self._changed.set()
        try:
            await self._script(line)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def close(self) -> None:
        self.is_closed = True

    async def until_lines(self, count: int) -> None:
        """Wait until it talks, or talked, in so many calls."""
        async with asyncio.timeout(_WAIT_MAX_S):
            while len(self.lines) < count:
                self._changed.clear()
                await self._changed.wait()


async def listen_forever(_: Line) -> None:
    """Never say a word and never hang up."""
    await asyncio.Event().wait()


@dataclass
class Rig:
    """A running bridge and everything around it."""

    asterisk: FakeAsterisk
    bot: ScriptedBot
    bus: LocalBus
    messages: Subscription
    state_dir: Path
    bridge: "asyncio.Task[None]"
    media: list[FakeMedia] = field(default_factory=list)
    media_flows: bool = True
    ports_free: int = 100

    async def open_media(self) -> FakeMedia:
        if len(self.media) >= self.ports_free:
            raise StackError("bridge", "no UDP port is free", hint="widen bridge.rtp_ports")
        self.media.append(FakeMedia(flows=self.media_flows))
        return self.media[-1]

    async def message(self, topic: str, **expected: Any) -> BusMessage:
        """Return the next message of a topic with this content; pass over all others."""
        async with asyncio.timeout(_WAIT_MAX_S):
            async for message in self.messages:
                if message.topic == topic and expected.items() <= message.data.items():
                    return message
        raise AssertionError(topic)

    async def until_ready(self) -> None:
        await self.message("bridge.status", ready=True)

    async def call(self, ticket: str | None = None) -> tuple[str, str]:
        """Let a visitor come and the bot begin; return call id and channel id."""
        call_id, signed = make_ticket()
        talking = len(self.bot.lines)
        channel_id = await self.asterisk.place_call(ticket or signed)
        await self.bot.until_lines(talking + 1)
        return call_id, channel_id

    async def stop(self) -> None:
        """End the bridge as SIGTERM does."""
        self.bridge.cancel()
        with suppress(asyncio.CancelledError):
            await self.bridge

    async def recorded(self, name: str, call_id: str = "") -> Mapping[str, Scalar]:
        """Wait until the journal has this event of a call, or of any; return its measures."""
        async with asyncio.timeout(_WAIT_MAX_S):
            while True:
                found = [event for event in await self.events(call_id) if event.name == name]
                if found:
                    assert len(found) == 1, found
                    return found[0].data
                await asyncio.sleep(0.01)

    async def events(self, call_id: str) -> list[CallEvent]:
        return await JournalReader(self.state_dir / "journal.sqlite").events(call_id)

    async def ended(self, call_id: str) -> Mapping[str, Scalar]:
        return await self.recorded("call.ended", call_id)


def make_ticket(
    *, duration_max_s: int = 600, warning_s: int = 0, has_consent: bool = False
) -> tuple[str, str]:
    """Return a new call id and the ticket that lets it in."""
    call_id = make_call_id(now_unix_ms=0, random_bytes=next(_numbers).to_bytes(10, "big"))
    expires_unix = time.time() + 60
    ticket = Ticket(call_id, "default", duration_max_s, expires_unix, warning_s, has_consent)
    return call_id, sign_ticket(ticket, key=TICKET_KEY)


def make_settings(*, http_port: int, calls_max: int = 10) -> Settings:
    return Settings(
        version=1,
        asterisk=Settings(version=1).asterisk.model_copy(update={"http_port": http_port}),
        bridge=BridgeSettings(calls_max=calls_max),
    )


def make_secrets(*, ari_password: str = ARI_PASSWORD) -> BridgeSecrets:
    return BridgeSecrets.model_validate({"ari_password": ari_password, "ticket_key": TICKET_KEY})


@asynccontextmanager
async def running_bridge(
    state_dir: Path,
    *,
    script: Callable[[Line], Awaitable[None]] = listen_forever,
    bot: ScriptedBot | None = None,
    ari_password: str = ARI_PASSWORD,
    calls_max: int = 10,
    timing: CallTiming | None = None,
    prepare: Callable[[FakeAsterisk], None] = lambda _: None,
) -> AsyncIterator[Rig]:
    """Run a bridge; at the end nothing of it may be left, whatever the test did."""
    bot = bot or ScriptedBot(script)
    bus = LocalBus(state_dir / "bus", "edge")
    bus.open()
    tasks_before = asyncio.all_tasks()
    try:
        async with fake_asterisk(ARI_PASSWORD) as asterisk:
            prepare(asterisk)
            with bus.subscribe("bridge.status", "call.ending", "caption") as messages:
                rig = Rig(asterisk, bot, bus, messages, state_dir, _placeholder())
                rig.bridge = asyncio.create_task(
                    serve(
                        make_settings(http_port=asterisk.port, calls_max=calls_max),
                        make_secrets(ari_password=ari_password),
                        state_dir,
                        bot=_as_bot(bot),
                        open_media=rig.open_media,
                        timing=timing,
                    )
                )
                yield rig
                await rig.stop()
                assert all(media.is_closed for media in rig.media)
                assert bot.is_closed
    finally:
        bus.close()
    left = {task.get_coro() for task in asyncio.all_tasks() - tasks_before}
    assert not left, left


def _as_bot(bot: ScriptedBot) -> Bot:
    return bot


def _placeholder() -> "asyncio.Task[None]":
    current = asyncio.current_task()
    assert current is not None
    return current
