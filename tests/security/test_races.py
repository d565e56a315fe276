"""Races between edge processes that share a ledger: one last place, one use of a grant."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Origin, Subprotocol

from support.edge_process import EdgeProcess, many_calls, running_edges
from support.edge_rig import OFFER, ORIGIN
from support.from_address import ask, start
from support.redis_server import redis_server
from talkbutton.settings.model import LimitsSettings

pytestmark = [pytest.mark.security, pytest.mark.anyio]

HOME = "127.0.0.1"
LEASE_S = 5
STORES = pytest.mark.parametrize(
    ("store", "count"), [("sqlite", 1), ("sqlite", 2), ("redis", 2)], ids=str
)


@asynccontextmanager
async def edges_on(
    store: str, count: int, folder: Path, **limits: int
) -> AsyncIterator[list[EdgeProcess]]:
    """Run edges that share one SQLite file, or one Redis."""
    if store == "sqlite":
        shared = LimitsSettings(store="sqlite", lease_s=LEASE_S)
        async with running_edges(folder, many_calls(shared, **limits), count) as edges:
            yield edges
        return
    with redis_server(folder) as server:
        shared = LimitsSettings(store="redis", redis_url=server.url, lease_s=LEASE_S)
        async with running_edges(folder, many_calls(shared, **limits), count) as edges:
            yield edges


@pytest.mark.parametrize("is_guarded", [True, False], ids=["guarded", "open"])
@STORES
async def test_two_hundred_for_the_last_line(
    tmp_path: Path, store: str, count: int, is_guarded: bool
) -> None:
    lines = 1 if is_guarded else 1_000
    together = asyncio.Barrier(200)
    async with edges_on(store, count, tmp_path, calls_per_address=1_000, calls_max=lines) as edges:
        ports = [edges[number % count].port for number in range(200)]
        async with asyncio.TaskGroup() as tasks:
            asks = [tasks.create_task(ask(HOME, port)) for port in ports]
        async with asyncio.TaskGroup() as tasks:
            starts = [
                tasks.create_task(start(HOME, port, one.result().body["token"], together=together))
                for port, one in zip(ports, asks, strict=True)
            ]
    codes = Counter(one.result() for one in starts)
    assert codes == ({"ready": 1, "site_calls": 199} if is_guarded else {"ready": 200})


@STORES
async def test_two_hundred_spends_of_one_grant(tmp_path: Path, store: str, count: int) -> None:
    async with edges_on(store, count, tmp_path) as edges:
        token = str((await ask(HOME, edges[0].port)).body["token"])
        async with asyncio.TaskGroup() as tasks:
            spends = [
                tasks.create_task(start(HOME, edges[number % count].port, token))
                for number in range(200)
            ]
    heard = Counter(spend.result() for spend in spends)
    assert heard == {"ready": 1, "grant_used": 199}


@pytest.mark.parametrize("store", ["sqlite", "redis"])
async def test_an_edge_killed_in_mid_call_frees_its_place_within_the_lease(
    tmp_path: Path, store: str
) -> None:
    async with edges_on(store, 2, tmp_path, calls_per_address=1) as (first, second):
        answer = await ask(HOME, first.port)
        token = str(answer.body["token"])
        visitor = await connect(
            f"ws://127.0.0.1:{first.port}/v1/signaling",
            origin=Origin(ORIGIN),
            subprotocols=[Subprotocol("talkbutton.v1")],
        )
        await visitor.send(json.dumps({"type": "start", "token": token}))
        await visitor.send(json.dumps({"type": "offer", "sdp": OFFER}))
        heard = [json.loads(await visitor.recv())["type"] for _ in range(2)]
        assert heard == ["ready", "answer"]
        await asyncio.sleep(LEASE_S)  # longer than one lease: the call's renewals keep its place
        assert (await ask(HOME, second.port)).code == "address_calls"

        killed_at = time.monotonic()
        first.kill()
        await visitor.wait_closed()
        assert (await ask(HOME, second.port)).code == "address_calls"
        assert await start(HOME, second.port, token) == "grant_used"
        while (await ask(HOME, second.port)).status != 201:
            assert time.monotonic() - killed_at < LEASE_S + 2, "the place is still taken"
            await asyncio.sleep(0.1)
        assert first.janus.sessions == 1  # Janus has lost the dead edge's session, and its call
