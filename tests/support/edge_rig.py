"""The real edge over real sockets, with a gateway that follows the test's word.

The bus, the journal and the server are the real ones. Clocks stand still unless a test moves them,
so that heartbeats and grants do not grow old by themselves.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from talkbutton.edge.app import create_app
from talkbutton.edge.context import EdgeContext
from talkbutton.edge.presence import Presence
from talkbutton.edge.server import listen, serve
from talkbutton.edge.tls import Certificate
from talkbutton.protocols.janus import CallNews, Candidate, HungUp, Lost
from talkbutton.runtime.bus import BusMessage, LocalBus
from talkbutton.runtime.journal import Journal, JournalReader
from talkbutton.runtime.ledger import Ledger, MemoryLedger
from talkbutton.settings.model import (
    AsteriskSettings,
    ChallengeSettings,
    EdgeSecrets,
    EdgeSettings,
    Settings,
    SiteLimits,
    SiteSettings,
)

__all__ = [
    "OFFER",
    "ORIGIN",
    "PLENTY",
    "SECRETS",
    "SETTINGS",
    "EdgeRig",
    "FakeCall",
    "FakeGateway",
    "Visitor",
    "running_edge",
]

ORIGIN = "https://shop.example"
OFFER = Path(__file__).with_name("chromium_offer.sdp").read_text()

PLENTY = SiteLimits(
    calls_per_address=100,
    calls_per_address_and_hour=1_000,
    calls_per_v6_site=100,
    calls_per_v6_site_and_hour=1_000,
    sessions_per_address_and_minute=6_000,
)
"""For tests of something else than limits: all their visitors have one address."""

SETTINGS = Settings(
    version=1,
    edge=EdgeSettings(listen_address="0.0.0.0", public_url="https://talk.example"),
    asterisk=AsteriskSettings(sip_port=23_060),
    sites={
        "default": SiteSettings(allowed_origins=(ORIGIN,), call_duration_max_s=120, limits=PLENTY),
        "relayed": SiteSettings(
            allowed_origins=(ORIGIN,),
            extension="7001",
            ice_transport_policy="relay",
            limits=PLENTY,
        ),
    },
)
SECRETS = EdgeSecrets(
    grant_key=SecretStr("g" * 32),
    ticket_key=SecretStr("t" * 32),
    challenge_key=SecretStr("c" * 32),
    turn_secret=SecretStr("u" * 32),
    janus_api_secret=SecretStr("j" * 32),
    janus_token_secret=SecretStr("k" * 32),
)

_WAIT_MAX_S = 5.0


class FakeCall:
    """A call whose news come from the test."""

    def __init__(self, asked: Mapping[str, Any]) -> None:
        self.asked = asked
        self.candidates: list[Candidate | None] = []
        self.is_hung_up = False
        self.janus_session_id: int | None = 11
        self.janus_handle_id: int | None = 22
        self._news: asyncio.Queue[CallNews] = asyncio.Queue()

    def tell(self, news: CallNews) -> None:
        self._news.put_nowait(news)

    async def events(self) -> AsyncIterator[CallNews]:
        while True:
            news = await self._news.get()
            yield news
            if isinstance(news, HungUp | Lost):
                return

    async def trickle(self, candidate: Candidate | None) -> None:
        self.candidates.append(candidate)

    async def hang_up(self) -> None:
        self.is_hung_up = True


@dataclass
class FakeGateway:
    """Takes every call, unless told otherwise."""

    is_ready: bool = True
    failure: Exception | None = None
    may_place: asyncio.Event = field(default_factory=asyncio.Event)
    calls: list[FakeCall] = field(default_factory=list)
    placings: int = 0
    cancelled_placings: int = 0

    async def place_call(self, call_id: str, **asked: Any) -> FakeCall:
        if self.failure is not None:
            raise self.failure
        self.placings += 1
        try:
            await self.may_place.wait()
        except asyncio.CancelledError:
            self.cancelled_placings += 1
            raise
        call = FakeCall({"call_id": call_id, **asked})
        self.calls.append(call)
        return call


class Visitor:
    """A browser's end of the signaling socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, message_type: str, **more: Any) -> None:
        await self.socket.send(json.dumps({"type": message_type, **more}))

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(_WAIT_MAX_S):
            heard = json.loads(await self.socket.recv())
        assert isinstance(heard, dict)
        return heard

    async def hear_end(self) -> tuple[dict[str, Any] | None, int]:
        """Return the last message, and the close code that follows it."""
        last = None
        try:
            while True:
                last = await self.hear()
        except ConnectionClosed:
            assert self.socket.close_code is not None
            return last, self.socket.close_code


@dataclass
class EdgeRig:
    """A running edge and the world around it."""

    port: int
    gateway: FakeGateway
    journal_path: Path
    bridge: LocalBus
    http: httpx.AsyncClient
    ledger: Ledger
    monotonic_s: float = 1_000.0
    unix_s: float = 1_800_000_000.0

    def beat(self, **bridge: bool) -> None:
        """Send the heartbeats of a keeper and a bridge that are well."""
        self.bridge.publish(
            BusMessage(
                "keeper.identity",
                None,
                {"janus": "default", "master_id": 5, "username": "sip:talkbutton@x", "ready": True},
            )
        )
        status = {"ready": True, "line_ready": True, "bot_ready": True, "calls": 0}
        self.bridge.publish(BusMessage("bridge.status", None, {**status, **bridge}))

    async def ready_code(self) -> str:
        answer = await self.http.get("/readyz")
        return str(answer.json().get("code", "ok"))

    async def until_ready_code(self, code: str) -> None:
        async with asyncio.timeout(_WAIT_MAX_S):
            while await self.ready_code() != code:  # noqa: ASYNC110 - asked from outside
                await asyncio.sleep(0.01)

    async def ask(self, site: str = "default", **headers: str) -> httpx.Response:
        sent = {"Origin": ORIGIN, **headers}
        return await self.http.post("/v1/sessions", json={"site": site}, headers=sent)

    async def token(self) -> str:
        return str((await self.ask()).json()["token"])

    @asynccontextmanager
    async def visitor(
        self, *, origin: str | None = ORIGIN, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[Visitor]:
        async with connect(
            f"ws://127.0.0.1:{self.port}/v1/signaling",
            origin=None if origin is None else Origin(origin),
            subprotocols=[Subprotocol("talkbutton.v1")],
            additional_headers=headers,
            compression=None,
        ) as socket:
            yield Visitor(socket)

    @asynccontextmanager
    async def caller(self) -> AsyncIterator[tuple[Visitor, FakeCall]]:
        """A visitor whose call is placed."""
        async with self.visitor() as visitor:
            placed = len(self.gateway.calls)
            await visitor.say("start", token=await self.token())
            assert (await visitor.hear())["type"] == "ready"
            await visitor.say("offer", sdp=OFFER)
            await self.until(lambda: len(self.gateway.calls) > placed)
            yield visitor, self.gateway.calls[placed]

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(_WAIT_MAX_S):
            while not is_so():  # noqa: ASYNC110 - seen from outside
                await asyncio.sleep(0.005)

    async def record(self, call_id: str, *, until: str) -> list[tuple[str, Mapping[str, Any]]]:
        """Return a call's events, once ``until`` is among them."""
        reader = JournalReader(self.journal_path)
        async with asyncio.timeout(_WAIT_MAX_S):
            while True:
                events = [(event.name, event.data) for event in await reader.events(call_id)]
                if until in [name for name, _ in events]:
                    return events
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running_edge(
    folder: Path,
    *,
    settings: Settings = SETTINGS,
    secrets: EdgeSecrets = SECRETS,
    ledger: Ledger | None = None,
    address: str = "127.0.0.1",
    site_dir: Path | None = None,
    widget: Path | None = None,
    certificate: Certificate | None = None,
    is_challenging: bool = False,
) -> AsyncIterator[EdgeRig]:
    """Run an edge on a free port, with everything it needs alive.

    Sites ask for no proof of work, unless ``is_challenging`` leaves that to the settings: the
    tests' clients press hard and look like programs.
    """
    if not is_challenging:
        settings = _without_challenges(settings)
    journal = Journal(folder / "journal.sqlite", program="edge")
    await journal.open()
    bus, bridge = LocalBus(folder / "bus", "edge"), LocalBus(folder / "bus", "bridge")
    bus.open()
    bridge.open()
    ledger = MemoryLedger() if ledger is None else ledger
    await ledger.open()
    gateway = FakeGateway()
    gateway.may_place.set()
    presence = Presence(
        bus, is_gateway_ready=lambda: gateway.is_ready, clock=lambda: rig.monotonic_s
    )
    context = EdgeContext(
        settings,
        secrets,
        gateway,
        bus,
        journal,
        presence,
        "198.51.100.7",
        ledger,
        wall_clock=lambda: rig.unix_s,
    )
    app = create_app(
        context, site_dir=site_dir or folder / "no-site", widget=widget or folder / "no-widget.js"
    )
    listener = listen(address, 0)
    port = int(listener.getsockname()[1])
    host = f"[{address}]" if ":" in address else address
    try:
        async with (
            httpx.AsyncClient(
                base_url=f"{'http' if certificate is None else 'https'}://{host}:{port}",
                trust_env=False,
                verify=False,  # noqa: S501 - the test's own certificate
            ) as http,
            asyncio.TaskGroup() as tasks,
        ):
            rig = EdgeRig(port, gateway, folder / "journal.sqlite", bridge, http, ledger)
            serving = serve(app, listener, edge=settings.edge, certificate=certificate)
            works = (presence.run(), journal.run(), serving)
            running = [tasks.create_task(work) for work in works]
            await rig.until_ready_code("gateway_unavailable")
            rig.beat()
            await rig.until_ready_code("ok")
            yield rig
            for task in running:
                task.cancel()
    finally:
        bus.close()
        bridge.close()
        await ledger.close()
        await journal.close()


def _without_challenges(settings: Settings) -> Settings:
    never = ChallengeSettings(when="never")
    sites = {
        name: site.model_copy(update={"challenge": never}) for name, site in settings.sites.items()
    }
    return settings.model_copy(update={"sites": sites})
