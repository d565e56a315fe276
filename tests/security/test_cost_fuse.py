"""What a stranger can make the owner pay for, with each guard on and taken away."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.edge_rig import ORIGIN, PLENTY, SETTINGS, EdgeRig, running_edge
from talkbutton.bots.interface import CallFacts
from talkbutton.bridge.line import CallLine
from talkbutton.protocols.audio import first_speech
from talkbutton.protocols.audio.frame import LINE_RATE_HZ, Frame
from talkbutton.settings.model import BudgetSettings, ConsentSettings, HoursSettings, SiteSettings

pytestmark = [pytest.mark.security, pytest.mark.anyio]

NEVER = HoursSettings(
    monday=(), tuesday=(), wednesday=(), thursday=(), friday=(), saturday=(), sunday=()
)


async def ask_many(folder: Path, site: dict[str, Any], count: int) -> list[str]:
    """Return what becomes of so many session requests at once: codes, ``ok`` for a grant."""
    made = SiteSettings(allowed_origins=(ORIGIN,), limits=PLENTY, **site)
    settings = SETTINGS.model_copy(update={"sites": {"default": made}})

    async def ask(rig: EdgeRig) -> str:
        return str((await rig.ask()).json().get("code", "ok"))

    async with running_edge(folder, settings=settings) as rig:
        return await asyncio.gather(*(ask(rig) for _ in range(count)))


@pytest.mark.parametrize(
    ("budget", "granted"),
    [
        ({"calls_per_day": 3}, 3),
        ({"minutes_per_day": 25}, 2),
        ({"money_per_day": 1.0, "price_per_minute": 0.1}, 1),
        ({}, 15),
    ],
)
async def test_calls_asked_for_at_once_do_not_overrun_the_budget(
    tmp_path: Path, budget: dict[str, Any], granted: int
) -> None:
    codes = await ask_many(tmp_path, {"budget": BudgetSettings(**budget)}, 15)
    assert codes.count("ok") == granted
    assert set(codes) <= {"ok", "budget_spent"}


@pytest.mark.parametrize(
    ("site", "code"),
    [
        ({"hours": NEVER}, "outside_hours"),
        ({"hours": HoursSettings()}, "ok"),
        ({"maintenance": "Back soon."}, "maintenance"),
        ({"maintenance": None}, "ok"),
        ({"consent": ConsentSettings(text="We record.")}, "consent_missing"),
        ({"consent": ConsentSettings()}, "ok"),
    ],
)
async def test_a_page_that_does_not_ask_first_is_refused_all_the_same(
    tmp_path: Path, site: dict[str, Any], code: str
) -> None:
    assert await ask_many(tmp_path, site, 1) == [code]


@pytest.mark.parametrize(("threshold_dbov", "pays"), [(first_speech.LOUD_DBOV, False), (-90, True)])
async def test_comfort_noise_opens_no_paid_session(
    monkeypatch: pytest.MonkeyPatch, threshold_dbov: float, pays: bool
) -> None:
    monkeypatch.setattr(first_speech, "LOUD_DBOV", threshold_dbov)
    line = CallLine(
        CallFacts("0" * 32, "default", "7000", 600),
        publish_caption=lambda *_: None,
        report_event=lambda *_: None,
    )
    line.open()
    waiting = asyncio.create_task(line.spoken())
    noise = np.random.default_rng(7).normal(0, 100, 320).astype("<i2").tobytes()  # -50 dBov
    for _ in range(3_000):  # a minute
        line.deliver(Frame(noise, LINE_RATE_HZ))
    await asyncio.sleep(0)
    assert waiting.done() is pays
    line.close()
    assert await waiting is pays
