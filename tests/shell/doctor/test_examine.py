import asyncio
from collections.abc import Awaitable, Callable

import pytest

from talkbutton.errors import ProtocolError
from talkbutton.operate.doctor import Area, Finding, Held, NotTried, Outcome, Probe, examine
from talkbutton.operate.doctor.examining import PROBE_DEADLINE_S, WHOLE_DEADLINE_S

pytestmark = [pytest.mark.shell, pytest.mark.anyio]


def probe(name: str, run: Callable[[], Awaitable[Outcome]], area: Area = "turn") -> Probe:
    return Probe(name, area, "tries", "expects", "mend", run)


async def held() -> Outcome:
    return Held("yes")


def failing(exc: Exception) -> Callable[[], Awaitable[Outcome]]:
    async def run() -> Outcome:
        raise exc

    return run


async def test_findings_come_in_the_order_of_the_probes() -> None:
    other_area_ran = asyncio.Event()

    async def wait_for_the_other_area() -> Outcome:
        await other_area_ran.wait()
        return Held("after it")

    async def tell() -> Outcome:
        other_area_ran.set()
        return Held("before it")

    probes = [
        probe("janus.b", tell, "janus"),
        probe("turn.a", wait_for_the_other_area),
        probe("janus.c", held, "janus"),
    ]
    seen: list[Finding] = []
    found = await examine(probes, seen.append)
    assert [finding.probe.name for finding in found] == ["janus.b", "turn.a", "janus.c"]
    assert [finding.outcome for finding in found] == [
        Held("before it"),
        Held("after it"),
        Held("yes"),
    ]
    assert {finding.probe.name for finding in seen} == {"janus.b", "turn.a", "janus.c"}


@pytest.mark.parametrize(
    ("exc", "why"),
    [
        (TimeoutError(), "there was no answer in time"),
        (ConnectionRefusedError(111, "Connection refused"), "the connection failed: "),
        (EOFError(), "the connection failed: EOFError"),
        (ProtocolError("it said nonsense"), "it said nonsense"),
    ],
)
async def test_what_cannot_be_tried_is_said_and_the_others_go_on(exc: Exception, why: str) -> None:
    first, second = await examine([probe("turn.a", failing(exc)), probe("turn.b", held)])
    assert isinstance(first.outcome, NotTried)
    assert first.outcome.why.startswith(why)
    assert second.outcome == Held("yes")


async def test_a_mistake_of_our_own_is_not_hidden() -> None:
    with pytest.raises(ExceptionGroup):
        await examine([probe("turn.a", failing(KeyError("bug")))])


async def test_a_probe_that_hangs_is_given_up() -> None:
    never = asyncio.Event()

    async def hang() -> Outcome:
        await never.wait()
        return Held("never")

    probes = [probe("turn.a", hang), probe("turn.b", held)]
    first, second = await examine(probes, probe_deadline_s=0.01)
    assert first.outcome == NotTried("there was no answer in time")
    assert second.outcome == Held("yes")


def test_the_deadlines_keep_the_whole_below_a_minute() -> None:
    assert PROBE_DEADLINE_S < WHOLE_DEADLINE_S < 60
