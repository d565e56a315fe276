import time

import pytest

from talkbutton.runtime.aio.pacing import PacingClock, Tick

pytestmark = [pytest.mark.shell, pytest.mark.anyio]

INTERVAL_S = 0.01


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


async def ticks_with_hold_up(hold_up_s: float) -> list[Tick]:
    """Three ticks, then the event loop is held up, then six more."""
    clock = PacingClock(interval_s=INTERVAL_S, late_max_s=0.05)
    ticks = [await clock.tick() for _ in range(3)]
    time.sleep(hold_up_s)  # noqa: ASYNC251 - the fault under test
    return ticks + [await clock.tick() for _ in range(6)]


async def test_ticks_are_due_at_multiples_of_the_interval_and_never_early() -> None:
    clock = PacingClock(interval_s=INTERVAL_S, late_max_s=10)
    ticks = []
    for _ in range(30):
        ticks.append(await clock.tick())
        assert time.monotonic() > ticks[-1].due - 0.0025
    dues = [tick.due - ticks[0].due for tick in ticks]
    assert dues == pytest.approx([n * INTERVAL_S for n in range(30)])
    assert all(tick.skipped_ticks == 0 and tick.late_s >= 0 for tick in ticks)


async def test_a_short_hold_up_is_caught_up_with() -> None:
    ticks = await ticks_with_hold_up(0.04)
    assert sum(tick.skipped_ticks for tick in ticks) == 0
    dues = [tick.due - ticks[0].due for tick in ticks]
    assert dues == pytest.approx([n * INTERVAL_S for n in range(9)])
    assert ticks[3].late_s > 0.02


async def test_after_a_long_hold_up_ticks_are_skipped_and_the_grid_stays() -> None:
    ticks = await ticks_with_hold_up(0.2)
    assert ticks[3].skipped_ticks >= 17
    assert ticks[3].late_s < INTERVAL_S
    number = 0
    for tick in ticks:
        number += tick.skipped_ticks
        assert tick.due - ticks[0].due == pytest.approx(number * INTERVAL_S)
        number += 1
