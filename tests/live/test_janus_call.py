"""The keeper and the edge's gateway with the real Janus and the real Asterisk."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from support.daemons import media_address, telephony_rootfs
from support.fake_janus import until
from support.janus import (
    CHROMIUM_OFFER,
    Daemon,
    asterisk_channels,
    janus_admin,
    running_asterisk_echo,
    running_janus,
)
from talkbutton.edge.gateway import GatewayCall, JanusGateway
from talkbutton.errors import ConnectionLost, JanusError
from talkbutton.keeper import program
from talkbutton.protocols.janus import Answered, CallNews, Candidate, HungUp, Lost, Ringing
from talkbutton.runtime.aio.janus_link import janus_login
from talkbutton.runtime.bus import LocalBus
from talkbutton.runtime.bus.local import Subscription
from talkbutton.settings.addresses import sip_uri
from talkbutton.settings.model import KeeperSecrets, Secrets, Settings

pytestmark = [pytest.mark.live, pytest.mark.anyio, pytest.mark.usefixtures("janus")]

TICKET = "eyJhbGciOiJIUzI1NiJ9.eyJjYWxsIjoiMSJ9.c2lnbmF0dXJl-_"  # pragma: allowlist secret
SECRETS = Secrets.model_validate(
    {name: f"{name}-of-the-live-tests-0123456789" for name in Secrets.model_fields}
)


def live_settings() -> Settings:
    return Settings.model_validate(
        {
            "version": 1,
            "network": {"media_address": media_address()},
            "janus": {
                "api_port": 21188,
                "rtp_ports": {"first": 21200, "last": 21599},
                "sip_rtp_ports": {"first": 21600, "last": 21999},
            },
            "asterisk": {
                "sip_port": 22060,
                "http_port": 22088,
                "rtp_ports": {"first": 22100, "last": 22399},
            },
        }
    )


@pytest.fixture(scope="module")
def settings() -> Settings:
    return live_settings()


@pytest.fixture(scope="module")
def asterisk(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("asterisk")
    with running_asterisk_echo(telephony_rootfs(), folder, settings, SECRETS) as asterisk:
        yield asterisk


@pytest.fixture(scope="module")
def janus(
    tmp_path_factory: pytest.TempPathFactory, settings: Settings, asterisk: Daemon
) -> Iterator[Daemon]:
    assert asterisk.log()
    folder = tmp_path_factory.mktemp("janus")
    with running_janus(telephony_rootfs(), folder, settings, SECRETS) as janus:
        yield janus


@dataclass
class Caller:
    """The edge's side: its gateway, and what it hears of the keeper."""

    settings: Settings
    gateway: JanusGateway
    identities: Subscription

    async def identity(self, *, ready: bool = True, other_than: object = -1) -> dict[str, Any]:
        async with asyncio.timeout(10):
            async for message in self.identities:
                content = dict(message.data)
                if content["ready"] is ready and content["master_id"] != other_than:
                    return content
        raise AssertionError("the bus ended")

    async def call(
        self,
        call_id: str,
        identity: dict[str, Any],
        extension: str = "7000",
        *,
        ticket: str = TICKET,
    ) -> GatewayCall:
        return await self.gateway.place_call(
            call_id,
            offer_sdp=CHROMIUM_OFFER,
            uri=sip_uri(self.settings, extension),
            headers={"X-Talkbutton-Ticket": ticket},
            master_id=identity["master_id"],
            username=identity["username"],
        )


@asynccontextmanager
async def running_caller(
    settings: Settings, state_dir: Path, *, sip_password: str | None = None
) -> AsyncIterator[Caller]:
    """Run a keeper and an edge's gateway, which knows no SIP password."""
    secrets = KeeperSecrets.model_validate(
        {
            "janus_api_secret": SECRETS.janus_api_secret.get_secret_value(),
            "janus_token_secret": SECRETS.janus_token_secret.get_secret_value(),
            "sip_password": sip_password or SECRETS.sip_password.get_secret_value(),
        }
    )
    gateway = JanusGateway(settings, janus_login(SECRETS))
    bus = LocalBus(state_dir / "bus", "edge")
    bus.open()
    running = [
        asyncio.create_task(program.run(settings, secrets, state_dir)),
        asyncio.create_task(gateway.run()),
    ]
    try:
        with bus.subscribe(program.IDENTITY_TOPIC) as identities:
            await asyncio.wait_for(gateway.wait_ready(), 10)
            yield Caller(settings, gateway, identities)
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running)
        bus.close()


@pytest.fixture
async def caller(settings: Settings, tmp_path: Path) -> AsyncIterator[Caller]:
    async with running_caller(settings, tmp_path) as caller:
        yield caller
    await until("Asterisk has no channel", lambda: not asterisk_channels(settings, SECRETS))


async def next_news(call: GatewayCall) -> CallNews:
    return await asyncio.wait_for(anext(call.events()), 5)


async def rest(call: GatewayCall) -> list[CallNews]:
    async with asyncio.timeout(5):
        return [news async for news in call.events()]


def handles(settings: Settings) -> list[int]:
    """Return the ids of all handles in Janus."""
    sessions = janus_admin(settings, SECRETS, {"janus": "list_sessions"})["sessions"]
    found: list[int] = []
    for session_id in sessions:
        request = {"janus": "list_handles", "session_id": session_id}
        found += janus_admin(settings, SECRETS, request)["handles"]
    return found


async def test_a_helper_reaches_the_bot_with_the_masters_password(
    caller: Caller, asterisk: Daemon
) -> None:
    call = await caller.call("c1", await caller.identity())
    answer = await next_news(call)
    assert isinstance(answer, Answered)
    assert "a=candidate:" in answer.sdp
    assert f" {media_address()} " in answer.sdp
    assert "opus/48000/2" in answer.sdp
    assert len(asterisk_channels(caller.settings, SECRETS)) == 1
    assert f"ticket={TICKET}" in asterisk.log()
    await call.trickle(Candidate("candidate:1 1 udp 2113937151 192.0.2.99 50000 typ host", "0", 0))
    await call.trickle(None)
    await call.hang_up()
    assert await rest(call) == [HungUp(200, "to BYE")]
    await until("only the master is left", lambda: len(handles(caller.settings)) == 1)


async def test_the_password_is_what_lets_it_in(settings: Settings, tmp_path: Path) -> None:
    async with running_caller(
        settings, tmp_path, sip_password="not-the-password-of-the-live-tests"
    ) as caller:
        call = await caller.call("c1", await caller.identity())
        [end] = await rest(call)
        assert end == HungUp(904, "Operation has no matching challenge ")  # of Janus's SIP stack


async def test_two_visitors_each_get_their_own_call(caller: Caller, asterisk: Daemon) -> None:
    identity = await caller.identity()
    calls = await asyncio.gather(
        *(caller.call(f"c{n}", identity, ticket=f"ticket-of-{n}") for n in range(2))
    )
    answers = [await next_news(call) for call in calls]
    passwords = {
        line
        for answer in answers
        if isinstance(answer, Answered)
        for line in answer.sdp.splitlines()
        if line.startswith("a=ice-pwd:")
    }
    assert len(passwords) == 2
    assert len(asterisk_channels(caller.settings, SECRETS)) == 2
    assert "ticket=ticket-of-0" in asterisk.log()
    assert "ticket=ticket-of-1" in asterisk.log()
    await calls[0].hang_up()
    await rest(calls[0])
    # Asterisk confirms the BYE before it takes the channel down.
    await until(
        "one channel is left", lambda: len(asterisk_channels(caller.settings, SECRETS)) == 1
    )
    assert not calls[1].is_over
    await calls[1].hang_up()
    assert await rest(calls[1]) == [HungUp(200, "to BYE")]


async def test_a_ringing_call_is_cancelled(caller: Caller) -> None:
    call = await caller.call("c1", await caller.identity(), "7001")
    assert await next_news(call) == Ringing()
    await call.hang_up()
    [end] = await rest(call)
    assert isinstance(end, HungUp)
    assert end.sip_code == 487
    await until("no channel", lambda: not asterisk_channels(caller.settings, SECRETS))


@pytest.mark.parametrize("extension", ["7000", "7001", "7002", "7004"])
async def test_a_call_that_is_hung_up_at_once_leaves_nothing(
    caller: Caller, extension: str
) -> None:
    identity = await caller.identity()
    calls = [await caller.call(f"c{n}", identity, extension) for n in range(8)]
    for call in calls:
        await call.hang_up()
    for call in calls:
        end = (await rest(call))[-1]
        assert isinstance(end, HungUp)
        assert end.sip_code in (200, 487)
    await until("no channel", lambda: not asterisk_channels(caller.settings, SECRETS))


async def test_early_media_brings_the_answer(caller: Caller) -> None:
    call = await caller.call("c1", await caller.identity(), "7002")
    answer = await next_news(call)
    assert isinstance(answer, Answered)
    assert answer.is_early
    await call.hang_up()
    assert isinstance((await rest(call))[-1], HungUp)


async def test_the_far_end_hangs_up(caller: Caller) -> None:
    call = await caller.call("c1", await caller.identity(), "7003")
    answer, end = await rest(call)
    assert isinstance(answer, Answered)
    assert isinstance(end, HungUp)
    assert end.sip_code == 200


async def test_another_extension_is_refused(caller: Caller) -> None:
    call = await caller.call("c1", await caller.identity(), "9999")
    assert await rest(call) == [HungUp(404, "Not Found")]


async def test_a_master_that_never_was_is_refused(caller: Caller) -> None:
    identity = await caller.identity() | {"master_id": 4_000_000_000}
    with pytest.raises(JanusError, match="No such master session") as refused:
        await caller.call("c1", identity)
    assert refused.value.janus_code == 453
    await until("only the master is left", lambda: len(handles(caller.settings)) == 1)


async def test_a_dead_master_is_made_anew_and_the_next_call_works(caller: Caller) -> None:
    identity = await caller.identity()
    call = await caller.call("c1", identity)
    assert isinstance(await next_news(call), Answered)
    [master] = [handle for handle in handles(caller.settings) if handle != call.janus_handle_id]
    kill_handle(caller.settings, master)
    assert isinstance((await rest(call))[-1], Lost | HungUp)
    new = await caller.identity(other_than=identity["master_id"])
    again = await caller.call("c2", new)
    assert isinstance(await next_news(again), Answered)
    await again.hang_up()
    assert await rest(again) == [HungUp(200, "to BYE")]


def kill_handle(settings: Settings, handle_id: int) -> None:
    for session_id in janus_admin(settings, SECRETS, {"janus": "list_sessions"})["sessions"]:
        request = {"janus": "list_handles", "session_id": session_id}
        if handle_id in janus_admin(settings, SECRETS, request)["handles"]:
            kill = {"janus": "detach_handle", "session_id": session_id, "handle_id": handle_id}
            assert janus_admin(settings, SECRETS, kill)["janus"] == "success"


@pytest.mark.parametrize("wrong", [{"api_secret": "not-it"}, {"token_secret": "not-it"}])
async def test_a_wrong_secret_is_refused(
    settings: Settings, caplog: pytest.LogCaptureFixture, wrong: dict[str, str]
) -> None:
    gateway = JanusGateway(settings, replace(janus_login(SECRETS), **wrong))
    running = asyncio.create_task(gateway.run())
    try:
        await until("Janus refused", lambda: "(403)" in caplog.text)
        assert not gateway.is_ready
        with pytest.raises(ConnectionLost):
            await gateway.place_call(
                "c1", offer_sdp="x", uri="sip:a@b", headers={}, master_id=1, username="sip:a@b"
            )
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_an_edge_that_stops_leaves_no_call(settings: Settings, tmp_path: Path) -> None:
    async with running_caller(settings, tmp_path) as caller:
        identity = await caller.identity()
        for n in range(3):
            call = await caller.call(f"c{n}", identity)
            assert isinstance(await next_news(call), Answered)
        assert len(asterisk_channels(settings, SECRETS)) == 3
    await until("no channel", lambda: not asterisk_channels(settings, SECRETS))
    await until("no handle", lambda: not handles(settings))


async def test_setting_up_is_quick(caller: Caller, record_property: Any) -> None:
    identity = await caller.identity()
    took_ms: list[float] = []
    for n in range(10):
        started = time.perf_counter()
        call = await caller.call(f"c{n}", identity)
        assert isinstance(await next_news(call), Answered)
        took_ms.append((time.perf_counter() - started) * 1000)
        await call.hang_up()
        await rest(call)
    record_property("attach_to_accepted_ms", sorted(round(ms, 1) for ms in took_ms))
    print("attach to accepted, ms:", sorted(round(ms, 1) for ms in took_ms))  # noqa: T201
    assert statistics.median(took_ms) < 100


async def test_janus_that_crashes_and_comes_back_is_found_again(
    settings: Settings, janus: Daemon, tmp_path: Path
) -> None:
    async with running_caller(settings, tmp_path) as caller:
        identity = await caller.identity()
        call = await caller.call("c1", identity)
        assert isinstance(await next_news(call), Answered)
        janus.kill()
        assert await rest(call) == [Lost("janus.connection_lost")]
        assert not caller.gateway.is_ready
        await caller.identity(ready=False)
        with running_janus(telephony_rootfs(), tmp_path / "janus", settings, SECRETS):
            new = await caller.identity(other_than=identity["master_id"])
            await asyncio.wait_for(caller.gateway.wait_ready(), 10)
            again = await caller.call("c2", new)
            assert isinstance(await next_news(again), Answered)
            await again.hang_up()
            assert await rest(again) == [HungUp(200, "to BYE")]
