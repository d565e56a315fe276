"""Random lives of holds: memory, SQLite and Redis give the same answers all the way."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.redis_server import RedisServer
from talkbutton.rules.admission.claims import Claim
from talkbutton.runtime.ledger import Ledger, MemoryLedger, SqliteLedger
from talkbutton.runtime.ledger.redis import RedisLedger

pytestmark = pytest.mark.shell

Operation = tuple[str, dict[str, Any]]

START = 1_800_000_000.0
HOLDERS = st.sampled_from(["a", "b", "c"])
KEYS = st.sampled_from(["k1", "k2", "k3"])
QUARTERS = st.integers(0, 40).map(lambda quarters: quarters / 4)  # exact in binary
WEIGHTS = st.one_of(st.just(1.0), QUARTERS)

claims = st.builds(
    lambda key, limit, until_s, weight: Claim(key, limit, START + until_s, "all_calls", weight),
    KEYS,
    QUARTERS,
    QUARTERS.map(lambda s: s * 4),
    WEIGHTS,
)
operations = st.one_of(
    st.tuples(
        st.just("take"),
        st.fixed_dictionaries({"holder": HOLDERS, "claims": st.lists(claims, max_size=4)}),
    ),
    st.tuples(
        st.just("renew"),
        st.fixed_dictionaries(
            {"holder": HOLDERS, "keys": st.lists(KEYS, max_size=3), "until_s": QUARTERS}
        ),
    ),
    st.tuples(
        st.just("settle"),
        st.fixed_dictionaries({"holder": HOLDERS, "key": KEYS, "weight": WEIGHTS}),
    ),
    st.tuples(
        st.just("release"),
        st.fixed_dictionaries({"holder": HOLDERS, "keys": st.lists(KEYS, max_size=2)}),
    ),
    st.tuples(st.just("weigh"), st.fixed_dictionaries({"key": KEYS})),
)
lives = st.lists(st.tuples(st.integers(0, 8).map(lambda q: q / 4), operations), max_size=30)


async def answer(ledger: Ledger, operation: Operation, now_unix: float) -> object:
    name, with_ = operation
    match name:
        case "take":
            return await ledger.take(with_["holder"], with_["claims"], now_unix=now_unix)
        case "renew":
            until_unix = START + with_["until_s"] * 4
            return await ledger.renew(
                with_["holder"], *with_["keys"], until_unix=until_unix, now_unix=now_unix
            )
        case "settle":
            return await ledger.settle(
                with_["holder"], with_["key"], weight=with_["weight"], now_unix=now_unix
            )
        case "release":
            await ledger.release(with_["holder"], *with_["keys"])
            return None
        case _:
            return await ledger.weigh(with_["key"], now_unix=now_unix)


async def live(ledger: Ledger, life: list[tuple[float, Operation]]) -> list[object]:
    now_unix = START
    answers = []
    for pause_s, operation in life:
        now_unix += pause_s
        answers.append(await answer(ledger, operation, now_unix))
    return answers


async def live_everywhere(
    server: RedisServer, life: list[tuple[float, Operation]]
) -> dict[str, list[object]]:
    with tempfile.TemporaryDirectory() as folder:
        redis = RedisLedger(server.url)
        sqlite = SqliteLedger(Path(folder) / "ledger.sqlite")
        await redis.open()
        await redis._client.flushall()
        await sqlite.open()
        try:
            return {
                "memory": await live(MemoryLedger(), life),
                "sqlite": await live(sqlite, life),
                "redis": await live(redis, life),
            }
        finally:
            await sqlite.close()
            await redis.close()


@settings(max_examples=60, deadline=None)
@given(lives)
def test_random_lives_have_the_same_answers(
    redis: RedisServer, life: list[tuple[float, Operation]]
) -> None:
    answers = asyncio.run(live_everywhere(redis, life))
    assert answers["sqlite"] == answers["memory"]
    assert answers["redis"] == answers["memory"]
