import asyncio
import contextlib
import errno
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from support.edge_rig import OFFER, SECRETS, SETTINGS, running_edge
from talkbutton.edge.program import run
from talkbutton.edge.server import listen
from talkbutton.errors import SettingsError, StackError
from talkbutton.settings.model import EdgeSettings, JanusSettings, NetworkSettings, Settings

pytestmark = [pytest.mark.edge, pytest.mark.anyio]


def free_port() -> int:
    with listen("127.0.0.1", 0) as listener:
        return int(listener.getsockname()[1])


def settings_for(port: int) -> Settings:
    return SETTINGS.model_copy(
        update={
            "edge": EdgeSettings(port=port),
            "network": NetworkSettings(media_address="198.51.100.7"),
            "janus": JanusSettings(api_port=free_port()),
        }
    )


@asynccontextmanager
async def running(settings: Settings, state_dir: Path) -> AsyncIterator["asyncio.Task[None]"]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(run(settings, SECRETS, state_dir))
        yield task
        task.cancel()


async def test_serves_until_cancelled(tmp_path: Path) -> None:
    settings = settings_for(free_port())
    async with running(settings, tmp_path) as task:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{settings.edge.port}", trust_env=False
        ) as http:
            async with asyncio.timeout(5):
                while True:
                    try:
                        answer = await http.get("/readyz")
                        break
                    except httpx.ConnectError:
                        await asyncio.sleep(0.02)
            assert answer.json()["code"] == "gateway_unavailable"
            assert (await http.get("/")).status_code == 200
        async with connect(
            f"ws://127.0.0.1:{settings.edge.port}/v1/signaling",
            subprotocols=[Subprotocol("talkbutton.v1")],
        ) as socket:
            await socket.send(json.dumps({"type": "start", "token": "x"}))
            assert json.loads(await socket.recv())["code"] == "grant_malformed"
        task.cancel()
        async with asyncio.timeout(5):
            with pytest.raises(asyncio.CancelledError):
                await asyncio.shield(task)
    assert not list((tmp_path / "bus").glob("*.sock"))
    listen("127.0.0.1", settings.edge.port).close()


async def test_a_taken_port_is_said_with_what_to_do(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as taken:
        taken.listen()
        settings = settings_for(int(taken.getsockname()[1]))
        with pytest.raises(StackError, match=r"cannot listen on 127\.0\.0\.1 port .* in use"):
            await run(settings, SECRETS, tmp_path)


async def test_an_unresolved_media_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"network\.media_address"):
        await run(SETTINGS, SECRETS, tmp_path)


async def test_stopping_hangs_up_every_call(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as rig:
        socket = await connect(
            f"ws://127.0.0.1:{rig.port}/v1/signaling",
            additional_headers={"Origin": "https://shop.example"},
            subprotocols=[Subprotocol("talkbutton.v1")],
        )
        await socket.send(json.dumps({"type": "start", "token": await rig.token()}))
        await socket.send(json.dumps({"type": "offer", "sdp": OFFER}))
        await rig.until(lambda: len(rig.gateway.calls) == 1)
        call = rig.gateway.calls[0]
    assert call.is_hung_up
    await socket.wait_closed()
    assert socket.close_code == 1012


async def test_an_edge_that_cannot_let_anybody_in_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its supervisor starts it again: better than one that looks alive."""

    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("talkbutton.edge.server._Server._accept", fail)
    with pytest.raises(ExceptionGroup) as failure:
        async with asyncio.timeout(5):
            await run(settings_for(free_port()), SECRETS, tmp_path)
    assert failure.group_contains(ZeroDivisionError)


async def test_too_many_open_files_are_waited_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_edge(tmp_path) as rig:
        loop = asyncio.get_running_loop()
        accept, failures = loop.sock_accept, iter([errno.EMFILE, errno.EHOSTUNREACH])

        async def accept_sometimes(listener: socket.socket) -> object:
            found = await accept(listener)
            if (number := next(failures, None)) is not None:
                found[0].close()
                raise OSError(number, "no")
            return found

        monkeypatch.setattr(loop, "sock_accept", accept_sometimes)
        await rig.until_ready_code("ok")
        for _ in range(4):
            with contextlib.suppress(httpx.TransportError):
                async with httpx.AsyncClient(trust_env=False) as visitor:
                    await visitor.get(f"http://127.0.0.1:{rig.port}/healthz")
        assert next(failures, None) is None
        assert (await rig.http.get("/healthz")).status_code == 200
