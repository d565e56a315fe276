import asyncio

import pytest

from talkbutton.edge.fair_queue import FairQueue

pytestmark = [pytest.mark.edge, pytest.mark.anyio]


def queue(*, slots: int = 1, waiting_max: int = 10, wait_max_s: float = 5.0) -> FairQueue:
    return FairQueue(slots=slots, waiting_max=waiting_max, wait_max_s=wait_max_s)


async def asked(queue: FairQueue, *asked_before: int) -> "list[asyncio.Task[bool]]":
    tasks = [asyncio.ensure_future(queue.enter(times)) for times in asked_before]
    await asyncio.sleep(0)
    return tasks


async def test_who_has_asked_least_goes_first_then_who_waits_longest() -> None:
    fair = queue()
    assert await fair.enter(9)
    often, first, second, rarely = await asked(fair, 9, 2, 2, 0)
    order = []
    for _ in range(4):
        fair.leave()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        done = {"often": often, "first": first, "second": second, "rarely": rarely}
        order.append({name for name, task in done.items() if task.done()})
    assert [len(names) for names in order] == [1, 2, 3, 4]
    assert order[0] == {"rarely"}
    assert order[1] == {"rarely", "first"}
    assert order[2] == {"rarely", "first", "second"}


async def test_a_full_queue_sends_away_who_has_asked_most() -> None:
    fair = queue(waiting_max=2)
    assert await fair.enter(0)
    often, sometimes = await asked(fair, 9, 5)
    assert not await fair.enter(9)
    (rarely,) = await asked(fair, 1)
    assert await often is False
    fair.leave()
    assert await rarely is True
    fair.leave()
    assert await sometimes is True
    assert len(fair) == 0


async def test_who_has_waited_too_long_is_sent_away() -> None:
    fair = queue(wait_max_s=0.01)
    assert await fair.enter(0)
    assert not await fair.enter(0)
    assert len(fair) == 0
    fair.leave()
    assert await fair.enter(0)


@pytest.mark.parametrize("comes_first", ["its turn", "its end"])
async def test_a_visitor_who_goes_away_loses_no_slot(comes_first: str) -> None:
    fair = queue()
    assert await fair.enter(0)
    (gone,) = await asked(fair, 0)
    if comes_first == "its turn":
        fair.leave()
        gone.cancel()
    else:
        gone.cancel()
        await asyncio.sleep(0)
        fair.leave()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await asyncio.wait_for(fair.enter(0), 1)
