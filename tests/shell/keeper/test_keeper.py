import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support.fake_janus import fake_janus, until
from talkbutton.errors import SettingsError
from talkbutton.keeper import program
from talkbutton.protocols.janus import JanusLogin
from talkbutton.runtime.bus import LocalBus
from talkbutton.runtime.bus.local import Subscription
from talkbutton.settings.model import KeeperSecrets, Settings

pytestmark = [pytest.mark.shell, pytest.mark.anyio]

LOGIN = JanusLogin("api-secret-of-tests-0123456789abcdef", "token-secret-of-tests-0123456789ab")
PASSWORD = "sip-password-of-tests-0123456789abcdef"


def keeper_settings(port: int) -> Settings:
    return Settings.model_validate({"version": 1, "janus": {"api_port": port}})


def keeper_secrets(
    *, api: str = LOGIN.api_secret, token: str = LOGIN.token_secret, sip: str = PASSWORD
) -> KeeperSecrets:
    return KeeperSecrets.model_validate(
        {"janus_api_secret": api, "janus_token_secret": token, "sip_password": sip}
    )


@asynccontextmanager
async def running_keeper(
    state_dir: Path, port: int, secrets: KeeperSecrets | None = None
) -> AsyncIterator[None]:
    running = asyncio.create_task(
        program.run(keeper_settings(port), secrets or keeper_secrets(), state_dir)
    )
    try:
        yield
    finally:
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


@pytest.fixture
async def edge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Subscription]:
    """What the edge hears of the keeper."""
    monkeypatch.setattr(program, "_HEARTBEAT_S", 0.02)
    monkeypatch.setattr(program, "_REMAKE_WAIT_S", 0.01)
    bus = LocalBus(tmp_path / "bus", "edge")
    bus.open()
    try:
        with bus.subscribe(program.IDENTITY_TOPIC) as heard:
            yield heard
    finally:
        bus.close()


async def identity(heard: Subscription, *, ready: bool, other_than: object = -1) -> dict[str, Any]:
    """Return the next identity that is (not) ready and has another master."""
    async with asyncio.timeout(5):
        async for message in heard:
            content = dict(message.data)
            if content["ready"] is ready and content["master_id"] != other_than:
                return content
    raise AssertionError("the bus ended")


async def test_it_takes_the_identity_and_beats(tmp_path: Path, edge: Subscription) -> None:
    async with fake_janus(LOGIN) as janus, running_keeper(tmp_path, janus.port):
        told = await identity(edge, ready=True)
        assert told == {
            "janus": "default",
            "master_id": next(iter(janus.masters)),
            "username": "sip:talkbutton@127.0.0.1:5060",
            "ready": True,
        }
        assert await identity(edge, ready=True) == told
        assert await identity(edge, ready=True) == told
        [register] = [request for request in janus.requests if request["janus"] == "message"]
        assert register["body"] == {
            "request": "register",
            "username": "sip:talkbutton@127.0.0.1:5060",
            "secret": PASSWORD,
            "proxy": "sip:127.0.0.1:5060",
            "send_register": False,
        }
    assert (await identity(edge, ready=False))["master_id"] is None
    assert not (tmp_path / "bus" / "keeper.sock").exists()


async def test_a_dead_master_is_made_anew(tmp_path: Path, edge: Subscription) -> None:
    async with fake_janus(LOGIN) as janus, running_keeper(tmp_path, janus.port):
        old = (await identity(edge, ready=True))["master_id"]
        await janus.kill_handle(janus.masters[old])
        await identity(edge, ready=False)
        new = (await identity(edge, ready=True, other_than=old))["master_id"]
        assert list(janus.masters) == [new]


async def test_janus_that_starts_anew_gets_a_master(tmp_path: Path, edge: Subscription) -> None:
    async with fake_janus(LOGIN) as janus:
        port = janus.port
    async with running_keeper(tmp_path, port):
        await identity(edge, ready=False)
        for _ in range(2):
            async with fake_janus(LOGIN, port=port) as janus:
                told = await identity(edge, ready=True)
                assert told["master_id"] in janus.masters
            await identity(edge, ready=False)


async def test_a_refused_identity_is_tried_again(
    tmp_path: Path, edge: Subscription, caplog: pytest.LogCaptureFixture
) -> None:
    async with fake_janus(LOGIN) as janus:
        janus.refuse["register"] = (440, "Invalid user address")
        async with running_keeper(tmp_path, janus.port):
            await until("it tried twice", lambda: janus.asked().count("register") >= 2)
            assert not janus.masters
            await until("no handle is left", lambda: len(janus.opaque_ids) <= 1)
            janus.refuse.clear()
            await identity(edge, ready=True)
    assert "Invalid user address (440)" in caplog.text
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize("which", ["api", "token"])
async def test_a_wrong_secret_is_never_ready(
    tmp_path: Path, edge: Subscription, which: str
) -> None:
    secrets = keeper_secrets(**{which: "another-secret-0123456789abcdefgh"})
    async with fake_janus(LOGIN) as janus, running_keeper(tmp_path, janus.port, secrets):
        await until("it tried", lambda: "create" in janus.asked())
        assert janus.asked().count("attach") == 0
        await identity(edge, ready=False)


async def test_a_password_that_janus_can_not_take_stops_the_keeper(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="sip_password"):
        await program.run(keeper_settings(1), keeper_secrets(sip='a"quote' * 6), tmp_path)
