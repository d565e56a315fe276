"""A caller inside a real Asterisk: a Local channel whose audio a test sends and hears."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import numpy as np

from talkbutton.bridge.ari_link import AriAddress, AriLink, LinkEvents
from talkbutton.bridge.media import RtpMedia, StreamStart
from talkbutton.bridge.play_queue import PlayQueue
from talkbutton.bridge.ports import PortPool
from talkbutton.errors import AriError
from talkbutton.protocols.ari.commands import (
    AddChannel,
    CreateBridge,
    DestroyBridge,
    HangUp,
    list_bridges,
    list_channels,
)
from talkbutton.protocols.ari.events import Event, StasisStart
from talkbutton.protocols.ari.messages import Request
from talkbutton.protocols.audio.frame import LINE_RATE_HZ, Frame
from talkbutton.runtime.aio.backoff import Backoff
from talkbutton.settings.model import BridgeSettings

__all__ = ["TONE_PEAK", "LiveCaller", "calling", "tone"]

TONE_PEAK = 10_000
"""Greatest sample of ``tone``: a third of full scale."""

_APPLICATION = "caller"
_BRIDGE = "caller-bridge"
_MEDIA = "caller-media"
_WAIT_MAX_S = 15.0


def tone(hz: int, *, duration_s: float) -> bytes:
    """Return a sine as 16 kHz PCM."""
    at_s = np.arange(round(duration_s * LINE_RATE_HZ)) / LINE_RATE_HZ
    return (np.sin(2 * np.pi * hz * at_s) * TONE_PEAK).astype("<i2").tobytes()


@dataclass
class LiveCaller:
    """Calls extension 7000 of the context ``talkbutton-in``.

    Attributes:
        link: An ARI connection of the caller's own application.
        heard: Frames that came back, in order.
        answered: Calls that were answered.
    """

    link: AriLink
    ports: PortPool
    heard: list[bytes] = field(default_factory=list)
    answered: int = 0
    _media: RtpMedia | None = None
    _exchange: "asyncio.Task[None] | None" = None
    _words: PlayQueue = field(default_factory=PlayQueue)
    _entered: set[str] = field(default_factory=set)
    _channels: set[str] = field(default_factory=set)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def originate(self, ticket: str) -> str:
        """Place a call; return the id of the caller's end."""
        endpoint = "Local/7000@talkbutton-in/n"
        query = {"endpoint": endpoint, "app": _APPLICATION, "timeout": "10"}
        query["formats"] = "ulaw"  # by default a Local channel halves what comes in as ulaw
        body = {"variables": {"TICKET": ticket}}
        response = await self.link.ask(Request("POST", "channels", query, body))
        channel_id: str = response.body["id"]
        self._channels.add(channel_id)
        return channel_id

    async def call(self, ticket: str) -> None:
        """Place a call, wait until it is answered, and let audio flow."""
        channel_id = await self.originate(ticket)
        await self._until_entered(channel_id)
        self.answered += 1
        if self._media is None:
            await self._open_media()
        await self.link.ask(AddChannel(_BRIDGE, channel_id).request())

    def say(self, pcm: bytes) -> None:
        """Speak into the call."""
        self._words.say("words", pcm)

    async def until_heard_frames(self, count: int) -> None:
        """Wait until so many frames came back in all."""
        async with asyncio.timeout(_WAIT_MAX_S):
            while len(self.heard) < count:
                self._changed.clear()
                await self._changed.wait()

    async def hang_up(self) -> None:
        """Hang all calls up, as a visitor does."""
        for channel_id in self._channels:
            with suppress(AriError):  # gone already
                await self.link.ask(HangUp(channel_id).request())
        self._channels.clear()

    async def left_in_asterisk(self) -> tuple[list[str], list[str]]:
        """Return channels and bridges in Asterisk, the caller's own media aside."""
        channels = (await self.link.ask(list_channels())).body
        bridges = (await self.link.ask(list_bridges())).body
        return (
            [each["id"] for each in channels if each["id"] != _MEDIA],
            [each["id"] for each in bridges if each["id"] != _BRIDGE],
        )

    @property
    def own_tasks(self) -> "set[asyncio.Task[None]]":
        """Tasks that carry the caller's own audio."""
        return set() if self._exchange is None else {self._exchange}

    def take_event(self, event: Event) -> None:
        """Note who entered the caller's application."""
        if isinstance(event, StasisStart):
            self._entered.add(event.channel_id)
            self._changed.set()

    async def close(self) -> None:
        """Leave nothing in Asterisk, no port and no task."""
        await self.hang_up()
        for command in (HangUp(_MEDIA), DestroyBridge(_BRIDGE)):
            with suppress(AriError):
                await self.link.ask(command.request())
        if self._exchange is not None:
            self._exchange.cancel()
            await asyncio.wait([self._exchange])
        if self._media is not None:
            self._media.close()

    async def _open_media(self) -> None:
        media = self._media = RtpMedia(
            self.ports,
            codec_name="ulaw",
            start=StreamStart(ssrc=1, sequence_number=1, timestamp=1),
            delay_min_ms=20,
            delay_max_ms=200,
        )
        host, port = media.local_address
        query = {
            "app": _APPLICATION,
            "channelId": _MEDIA,
            "external_host": f"{host}:{port}",
            "format": "ulaw",
        }
        created = await self.link.ask(Request("POST", "channels/externalMedia", query))
        variables = created.body["channelvars"]
        media.pin_peer(
            variables["UNICASTRTP_LOCAL_ADDRESS"], int(variables["UNICASTRTP_LOCAL_PORT"])
        )
        self._exchange = asyncio.create_task(media.run(self._deliver, self._next_frame))
        await self._until_entered(_MEDIA)
        await self.link.ask(CreateBridge(_BRIDGE).request())
        await self.link.ask(AddChannel(_BRIDGE, _MEDIA).request())

    async def _until_entered(self, channel_id: str) -> None:
        async with asyncio.timeout(_WAIT_MAX_S):
            while channel_id not in self._entered:
                self._changed.clear()
                await self._changed.wait()

    def _deliver(self, frame: Frame) -> None:
        self.heard.append(frame.pcm)
        self._changed.set()

    def _next_frame(self) -> Frame | None:
        pcm = self._words.next_frame()
        return None if pcm is None else Frame(pcm, LINE_RATE_HZ)


@asynccontextmanager
async def calling(
    http_port: int, ari_password: str, ports: BridgeSettings
) -> AsyncIterator[LiveCaller]:
    """Connect a caller to the Asterisk at ``http_port``; its media uses ``ports.rtp_ports``."""
    address = AriAddress("127.0.0.1", http_port, "bridge", ari_password, _APPLICATION)
    backoff = Backoff(first_s=0.1, max_s=1.0, random=lambda: 0.0)
    caller = LiveCaller(AriLink(address, backoff=backoff), PortPool("127.0.0.1", ports.rtp_ports))
    is_up = asyncio.Event()
    events = LinkEvents(is_up.set, is_up.clear, caller.take_event)
    running = asyncio.create_task(caller.link.run(events))
    try:
        async with asyncio.timeout(_WAIT_MAX_S):
            await is_up.wait()
        yield caller
        await caller.close()
    finally:
        running.cancel()
        await asyncio.wait([running])
