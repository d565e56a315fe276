"""What every ledger does, wherever it keeps its holds."""

import asyncio

import pytest

from talkbutton.rules.admission.claims import Claim, Full
from talkbutton.runtime.ledger import Ledger

pytestmark = [pytest.mark.shell, pytest.mark.anyio]

NOW = 1_800_000_000.0


def claim(
    key: str = "calls:default",
    limit: float = 1.0,
    *,
    for_s: float = 20.0,
    weight: float = 1.0,
) -> Claim:
    return Claim(key, limit, NOW + for_s, "site_calls", weight)


async def test_takes_while_there_is_room(ledger: Ledger) -> None:
    for holder in ("a", "b"):
        assert await ledger.take(holder, [claim(limit=2)], now_unix=NOW) is None
    full = await ledger.take("c", [claim(limit=2)], now_unix=NOW)
    assert full == Full(claim(limit=2), NOW + 20)
    assert await ledger.weigh("calls:default", now_unix=NOW) == 2


async def test_takes_all_or_none(ledger: Ledger) -> None:
    await ledger.take("a", [claim("narrow")], now_unix=NOW)
    full = await ledger.take("b", [claim("wide", 5), claim("narrow")], now_unix=NOW)
    assert full is not None
    assert full.claim.key == "narrow"
    assert await ledger.weigh("wide", now_unix=NOW) == 0


async def test_a_hold_that_has_ended_never_counts(ledger: Ledger) -> None:
    await ledger.take("a", [claim(for_s=5)], now_unix=NOW)
    assert await ledger.take("b", [claim()], now_unix=NOW + 4.999) is not None
    assert await ledger.weigh("calls:default", now_unix=NOW + 5) == 0
    assert await ledger.take("b", [claim()], now_unix=NOW + 5) is None


async def test_room_comes_when_enough_has_ended(ledger: Ledger) -> None:
    await ledger.take("late", [claim(limit=6, for_s=50, weight=1)], now_unix=NOW)
    await ledger.take("soon", [claim(limit=6, for_s=20.25, weight=2.5)], now_unix=NOW)
    await ledger.take("next", [claim(limit=6, for_s=30, weight=2)], now_unix=NOW)
    full = await ledger.take("x", [claim(limit=6, weight=4.5)], now_unix=NOW)
    assert full is not None
    assert full.room_at_unix == NOW + 30
    full = await ledger.take("x", [claim(limit=6, weight=7)], now_unix=NOW)
    assert full is not None
    assert full.room_at_unix == NOW + 20  # never; the claim's own end is as good as any


async def test_a_renewed_hold_goes_on(ledger: Ledger) -> None:
    await ledger.take("a", [claim(for_s=5)], now_unix=NOW)
    assert await ledger.renew("a", "calls:default", until_unix=NOW + 9, now_unix=NOW + 4)
    assert await ledger.weigh("calls:default", now_unix=NOW + 8) == 1
    assert await ledger.weigh("calls:default", now_unix=NOW + 9) == 0


async def test_what_has_ended_is_not_renewed(ledger: Ledger) -> None:
    await ledger.take("a", [claim(for_s=5)], now_unix=NOW)
    assert not await ledger.renew("a", "calls:default", until_unix=NOW + 90, now_unix=NOW + 5)
    assert await ledger.weigh("calls:default", now_unix=NOW + 5) == 0
    assert not await ledger.renew("nobody", "nothing", until_unix=NOW + 90, now_unix=NOW)


async def test_renews_all_or_none(ledger: Ledger) -> None:
    claims = [claim("short", for_s=5), claim("long", for_s=50), claim("other", for_s=50)]
    await ledger.take("a", claims, now_unix=NOW)
    later = NOW + 10
    assert not await ledger.renew("a", "long", "short", until_unix=NOW + 99, now_unix=later)
    assert await ledger.renew("a", "other", until_unix=NOW + 99, now_unix=later)
    assert await ledger.weigh("long", now_unix=NOW + 50) == 0
    assert await ledger.weigh("other", now_unix=NOW + 50) == 1


async def test_a_weight_is_settled_to_what_was_used(ledger: Ledger) -> None:
    await ledger.take("a", [claim("minutes", 12, weight=10)], now_unix=NOW)
    assert await ledger.take("b", [claim("minutes", 12, weight=10)], now_unix=NOW) is not None
    assert await ledger.settle("a", "minutes", weight=1.5, now_unix=NOW)
    assert await ledger.weigh("minutes", now_unix=NOW) == 1.5
    assert await ledger.take("b", [claim("minutes", 12, weight=10)], now_unix=NOW) is None
    assert await ledger.settle("b", "minutes", weight=0.0, now_unix=NOW)
    assert await ledger.settle("a", "minutes", weight=1.0, now_unix=NOW)
    assert await ledger.weigh("minutes", now_unix=NOW) == 1.0
    assert not await ledger.settle("a", "minutes", weight=1.0, now_unix=NOW + 20)
    assert not await ledger.settle("c", "minutes", weight=1.0, now_unix=NOW)


async def test_releases_some_or_all(ledger: Ledger) -> None:
    keys = [claim(key, 5) for key in ("one", "two", "three")]
    await ledger.take("a", keys, now_unix=NOW)
    await ledger.take("b", keys, now_unix=NOW)
    await ledger.release("a", "one", "unknown")
    assert [await ledger.weigh(key.key, now_unix=NOW) for key in keys] == [1, 2, 2]
    await ledger.release("a")
    await ledger.release("nobody")
    assert [await ledger.weigh(key.key, now_unix=NOW) for key in keys] == [1, 1, 1]


async def test_a_holder_counts_like_anybody_and_holds_once(ledger: Ledger) -> None:
    await ledger.take("a", [claim(limit=2)], now_unix=NOW)
    assert await ledger.take("a", [claim(limit=1)], now_unix=NOW) is not None
    assert await ledger.take("a", [claim(limit=2, for_s=60)], now_unix=NOW) is None
    assert await ledger.weigh("calls:default", now_unix=NOW + 30) == 1


async def test_a_claim_without_weight_only_looks(ledger: Ledger) -> None:
    look = claim("revoked:1", limit=0, weight=0)
    assert await ledger.take("a", [look], now_unix=NOW) is None
    await ledger.take("operator", [claim("revoked:1")], now_unix=NOW)
    assert await ledger.take("a", [look], now_unix=NOW) == Full(look, NOW + 20)
    await ledger.release("operator")
    assert await ledger.take("a", [look], now_unix=NOW) is None


async def test_two_hundred_at_once_for_one_place(ledger: Ledger) -> None:
    async with asyncio.TaskGroup() as tasks:
        takes = [
            tasks.create_task(ledger.take(f"call-{number}", [claim()], now_unix=NOW))
            for number in range(200)
        ]
    assert sum(take.result() is None for take in takes) == 1


@pytest.mark.parametrize("name", ["", "a b", "ключ:ü", "x" * 500, "%s'\";--", "\n"])
async def test_any_text_is_a_key_and_a_holder(ledger: Ledger, name: str) -> None:
    assert await ledger.take(name, [claim(name)], now_unix=NOW) is None
    assert await ledger.weigh(name, now_unix=NOW) == 1
    assert await ledger.renew(name, name, until_unix=NOW + 30, now_unix=NOW)
    await ledger.release(name)
    assert await ledger.weigh(name, now_unix=NOW) == 0
