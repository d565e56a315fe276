"""The three ledgers, each empty and open."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from support.redis_server import RedisServer, redis_server
from talkbutton.runtime.ledger import Ledger, MemoryLedger, SqliteLedger
from talkbutton.runtime.ledger.redis import RedisLedger


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def ledger(
    request: pytest.FixtureRequest, tmp_path: Path, anyio_backend: str
) -> AsyncIterator[Ledger]:
    assert anyio_backend == "asyncio"
    ledger: Ledger
    match request.param:
        case "memory":
            ledger = MemoryLedger()
        case "sqlite":
            ledger = SqliteLedger(tmp_path / "ledger.sqlite")
        case _:
            server: RedisServer = request.getfixturevalue("redis")
            ledger = RedisLedger(server.url)
    await ledger.open()
    if isinstance(ledger, RedisLedger):
        await ledger._client.flushall()
    yield ledger
    await ledger.close()
