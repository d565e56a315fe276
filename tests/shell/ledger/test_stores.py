"""What is each store's own: its troubles, its memory, who shares it."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from support.redis_server import RedisServer, redis_server
from talkbutton.errors import ConnectionLost, StackError
from talkbutton.rules.admission.claims import Claim
from talkbutton.runtime.ledger import MemoryLedger, SqliteLedger, make_ledger
from talkbutton.runtime.ledger.redis import RedisLedger
from talkbutton.settings.protection import LimitsSettings

pytestmark = [pytest.mark.shell, pytest.mark.anyio]

NOW = 1_800_000_000.0
CLAIM = Claim("calls", 1, NOW + 20, "all_calls")


def test_the_settings_choose(tmp_path: Path) -> None:
    assert isinstance(make_ledger(LimitsSettings(), state_dir=tmp_path), SqliteLedger)
    memory = LimitsSettings(store="memory")
    assert isinstance(make_ledger(memory, state_dir=tmp_path), MemoryLedger)
    redis = LimitsSettings(store="redis")
    assert isinstance(make_ledger(redis, state_dir=tmp_path), RedisLedger)


async def test_memory_forgets_what_has_ended() -> None:
    ledger = MemoryLedger()
    for number in range(3_000):
        now = NOW + number
        claim = Claim(f"key-{number}", 1, now + 10, "all_calls")
        await ledger.take(f"call-{number}", [claim], now_unix=now)
    assert len(ledger) <= 1_010


async def test_sqlite_forgets_what_has_ended(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    await ledger.open()
    for number in range(300):
        now = NOW + number
        claim = Claim(f"key-{number}", 1, now + 10, "all_calls")
        await ledger.take(f"call-{number}", [claim], now_unix=now)
    await ledger.close()
    with sqlite3.connect(tmp_path / "ledger.sqlite") as file:
        assert file.execute("SELECT count(*) FROM holds").fetchone() == (10,)
    file.close()


async def test_redis_forgets_what_nobody_asks_for(redis: RedisServer) -> None:
    ledger = RedisLedger(redis.url)
    await ledger.open()
    await ledger._client.flushall()
    heavy = Claim("minutes", 600, NOW + 86_400, "budget_spent", 10)
    await ledger.take("call", [CLAIM, heavy], now_unix=NOW)
    ttls = {name: await ledger._client.ttl(name) for name in await ledger._client.keys("*")}
    await ledger.close()
    assert len(ttls) == 4  # two keys' ends, one key's weights, one holder's keys
    assert all(0 < ttl <= 86_400 + 60 for ttl in ttls.values())
    assert ttls["talkbutton:ends:calls"] <= 20 + 60


async def test_sqlite_is_shared_and_survives(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    one, other = SqliteLedger(path), SqliteLedger(path)
    await asyncio.gather(one.open(), other.open())
    assert await one.take("a", [CLAIM], now_unix=NOW) is None
    assert await other.take("b", [CLAIM], now_unix=NOW) is not None
    await one.close()
    await other.close()
    again = SqliteLedger(path)
    await again.open()
    assert await again.weigh("calls", now_unix=NOW) == 1
    await again.close()


async def test_sqlite_opened_by_many_at_once(tmp_path: Path) -> None:
    for attempt in range(10):
        ledgers = [SqliteLedger(tmp_path / f"{attempt}.sqlite") for _ in range(4)]
        await asyncio.gather(*(ledger.open() for ledger in ledgers))
        for ledger in ledgers:
            await ledger.close()


async def test_sqlite_of_another_version_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA user_version=9")
    file.close()
    with pytest.raises(StackError, match="has version 9"):
        await SqliteLedger(path).open()


async def test_sqlite_without_a_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"cannot be opened.*check its folder"):
        await SqliteLedger(tmp_path / "nowhere" / "ledger.sqlite").open()


async def test_sqlite_that_somebody_holds_is_lost_in_bounded_time(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    await ledger.open()
    hog = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)
    hog.execute("BEGIN IMMEDIATE")
    with pytest.raises(ConnectionLost, match=r"locked|not answer"):
        await ledger.take("a", [CLAIM], now_unix=NOW)
    hog.execute("ROLLBACK")
    hog.close()
    assert await ledger.take("a", [CLAIM], now_unix=NOW) is None
    await ledger.close()


async def test_a_closed_ledger_is_lost(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    await ledger.open()
    await ledger.close()
    with pytest.raises(ConnectionLost):
        await ledger.weigh("calls", now_unix=NOW)


async def test_redis_gone_is_lost_and_found_again(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        ledger = RedisLedger(server.url)
        await ledger.open()
        assert await ledger.take("a", [CLAIM], now_unix=NOW) is None
        server.stop()
        with pytest.raises(ConnectionLost, match="cannot be used"):
            await ledger.take("b", [CLAIM], now_unix=NOW)
        server.start()
        assert await ledger.take("b", [CLAIM], now_unix=NOW) is None  # it forgot: all is free
        await ledger.close()


async def test_redis_that_does_not_answer_is_lost_in_bounded_time() -> None:
    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    ledger = RedisLedger(f"redis://127.0.0.1:{port}/0")
    async with asyncio.timeout(10):
        with pytest.raises(StackError, match="start Redis or Valkey"):
            await ledger.open()
    server.close()


async def test_redis_wants_its_password(tmp_path: Path) -> None:
    password = "p" * 40
    with redis_server(tmp_path, password=password) as server:
        for wrong in (None, "x" * 40):
            with pytest.raises(StackError, match="redis_password") as refused:
                await RedisLedger(server.url, wrong).open()
            assert "x" * 40 not in str(refused.value)
        ledger = RedisLedger(server.url, password)
        await ledger.open()
        assert await ledger.take("a", [CLAIM], now_unix=NOW) is None
        await ledger.close()
