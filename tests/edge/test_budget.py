"""A site's budget for the day, from the session request to the end of the call."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.edge_rig import (
    OFFER,
    ORIGIN,
    PLENTY,
    SETTINGS,
    EdgeRig,
    FakeCall,
    Visitor,
    running_edge,
)
from talkbutton.protocols.janus import Answered, IceConnected
from talkbutton.runtime.journal import JournalReader
from talkbutton.settings.model import BudgetSettings, SiteSettings

pytestmark = [pytest.mark.edge, pytest.mark.anyio]

CALL_US = "Please call us: 555 0100."


@asynccontextmanager
async def edge_with(folder: Path, **budget: Any) -> AsyncIterator[EdgeRig]:
    site = SiteSettings(
        allowed_origins=(ORIGIN,),
        call_duration_max_s=600,
        budget=BudgetSettings(**budget),
        limits=PLENTY,
    )
    settings = SETTINGS.model_copy(update={"sites": {"default": site}})
    async with running_edge(folder, settings=settings) as rig:
        yield rig


async def ask(rig: EdgeRig) -> tuple[int, str]:
    answer = await rig.ask()
    return answer.status_code, answer.json().get("code", "ok")


@asynccontextmanager
async def call(rig: EdgeRig, admitted: httpx.Response) -> AsyncIterator[tuple[Visitor, FakeCall]]:
    placed = len(rig.gateway.calls)
    async with rig.visitor() as visitor:
        await visitor.say("start", token=admitted.json()["token"])
        assert (await visitor.hear())["type"] == "ready"
        await visitor.say("offer", sdp=OFFER)
        await rig.until(lambda: len(rig.gateway.calls) > placed)
        yield visitor, rig.gateway.calls[placed]


async def test_a_spent_budget_refuses_in_the_owners_words_until_midnight(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with edge_with(tmp_path, calls_per_day=1, instead=CALL_US) as rig:
        async with call(rig, await rig.ask()) as (visitor, gateway_call):
            gateway_call.tell(Answered("v=0"))
            gateway_call.tell(IceConnected())
            assert (await visitor.hear())["type"] == "answer"
            with caplog.at_level(logging.WARNING, "talkbutton.edge"):
                refused = [await rig.ask() for _ in range(3)]
            assert [answer.status_code for answer in refused] == [429] * 3
            assert refused[0].json()["code"] == "budget_spent"
            assert refused[0].json()["detail"] == CALL_US
            # It is Friday, 08:00 UTC.
            assert refused[0].headers["retry-after"] == str(16 * 3_600)
        warnings = [record.getMessage() for record in caplog.records]
        assert len([text for text in warnings if "has no calls left of its budget" in text]) == 1
        reader = JournalReader(rig.journal_path)
        spent = [event for event in await reader.events("") if event.name == "budget.spent"]
        assert [dict(event.data) for event in spent] == [
            {"site": "default", "budget": "calls", "day": "2027-01-15", "limit": 1}
        ]
        rig.unix_s += 16 * 3_600
        rig.beat()
        assert await ask(rig) == (201, "ok")


async def test_a_grant_that_nobody_uses_gives_its_part_back(tmp_path: Path) -> None:
    async with edge_with(tmp_path, minutes_per_day=20) as rig:
        assert [await ask(rig) for _ in range(3)] == [
            (201, "ok"),
            (201, "ok"),
            (429, "budget_spent"),
        ]
        rig.unix_s += 66
        assert await ask(rig) == (201, "ok")


async def test_a_call_gives_back_what_it_did_not_use(tmp_path: Path) -> None:
    async with edge_with(tmp_path, minutes_per_day=10, calls_per_day=5) as rig:
        async with call(rig, await rig.ask()) as (visitor, gateway_call):
            rig.unix_s += 66  # the grant is over, the reservation is not
            assert await ask(rig) == (429, "budget_spent")
            gateway_call.tell(Answered("v=0"))
            assert (await visitor.hear())["type"] == "answer"
            await visitor.say("bye")
            await visitor.hear_end()
        # It never had a media path: it has cost nothing.
        await until_asked(rig, (201, "ok"))


async def test_a_call_with_sound_is_charged(tmp_path: Path) -> None:
    async with edge_with(tmp_path, money_per_day=1.0, price_per_minute=0.1) as rig:
        admitted = await rig.ask()
        async with call(rig, admitted) as (visitor, gateway_call):
            gateway_call.tell(Answered("v=0"))
            gateway_call.tell(IceConnected())
            await rig.record(admitted.json()["call_id"], until="ice.connected")
            await visitor.say("bye")
            await visitor.hear_end()
        await rig.record(admitted.json()["call_id"], until="signaling.closed")
        # Some milliseconds are spent, so that a whole call has no room any more.
        assert await ask(rig) == (429, "budget_spent")


async def until_asked(rig: EdgeRig, expected: tuple[int, str]) -> None:
    for _ in range(500):
        if await ask(rig) == expected:
            return
    raise AssertionError(expected)
