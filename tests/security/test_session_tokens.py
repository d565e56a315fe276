"""Attacks on grants and limits, each with its guard and without: then it must succeed."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from support.edge_rig import ORIGIN, PLENTY, SETTINGS, running_edge
from support.from_address import V6_SITE, ask, local_v6_site, post, start
from talkbutton.rules.admission.claims import Claim, Full
from talkbutton.runtime.ledger import MemoryLedger
from talkbutton.settings.model import (
    ChallengeSettings,
    EdgeSettings,
    Settings,
    SiteLimits,
    SiteSettings,
)

pytestmark = [pytest.mark.security, pytest.mark.anyio]

HOME = "127.0.0.1"
ON_AND_OFF = pytest.mark.parametrize("is_guarded", [True, False], ids=["guarded", "open"])


class NoLimits(MemoryLedger):
    """A ledger that has room for everything: the guard taken away."""

    async def take(self, holder: str, claims: Sequence[Claim], *, now_unix: float) -> Full | None:
        unlimited = [
            Claim(c.key, 1e9, c.until_unix, c.code, c.weight) for c in claims if c.weight > 0
        ]
        return await super().take(holder, unlimited, now_unix=now_unix)


def settings(edge: dict[str, Any] | None = None, **limits: int) -> Settings:
    """Return settings with these limits, plenty of everything else, and no challenge."""
    site = SiteSettings(
        allowed_origins=(ORIGIN, "https://other.example"),
        limits=SiteLimits.model_validate(
            {**PLENTY.model_dump(), "calls_max": 1_000, "sessions_per_minute": 1_000, **limits}
        ),
        challenge=ChallengeSettings(when="never"),
    )
    served = {"sockets_per_address_max": 1_000, **(edge or {})}
    return SETTINGS.model_copy(
        update={"edge": EdgeSettings.model_validate(served), "sites": {"default": site}}
    )


async def token_from(source: str, port: int) -> str:
    return str((await ask(source, port)).body["token"])


@ON_AND_OFF
async def test_a_replayed_token(tmp_path: Path, is_guarded: bool) -> None:
    ledger = MemoryLedger() if is_guarded else NoLimits()
    async with running_edge(tmp_path, settings=settings(), ledger=ledger) as rig:
        token = await token_from(HOME, rig.port)
        first, second = rig.visitor(), rig.visitor()
        async with first as living, second as replaying:
            await living.say("start", token=token)
            assert (await living.hear())["type"] == "ready"
            await replaying.say("start", token=token)
            heard = await replaying.hear()
        assert heard.get("code", heard["type"]) == ("grant_used" if is_guarded else "ready")


@ON_AND_OFF
async def test_two_hundred_replays_at_once(tmp_path: Path, is_guarded: bool) -> None:
    ledger = MemoryLedger() if is_guarded else NoLimits()
    async with running_edge(tmp_path, settings=settings(), ledger=ledger) as rig:
        token = await token_from(HOME, rig.port)
        async with asyncio.TaskGroup() as tasks:
            spends = [tasks.create_task(start(HOME, rig.port, token)) for _ in range(200)]
        heard = Counter(spend.result() for spend in spends)
        if is_guarded:
            assert heard["ready"] == 1
            assert heard["grant_used"] == 199
        else:
            assert heard["ready"] > 1


@ON_AND_OFF
async def test_a_late_token(tmp_path: Path, is_guarded: bool) -> None:
    served = settings({"grant_ttl_s": 60 if is_guarded else 120})
    async with running_edge(tmp_path, settings=served) as rig:
        token = await token_from(HOME, rig.port)
        rig.unix_s += 60
        heard = await start(HOME, rig.port, token)
        assert heard == ("grant_expired" if is_guarded else "ready")


@ON_AND_OFF
async def test_a_token_from_another_network(tmp_path: Path, is_guarded: bool) -> None:
    served = settings({"grant_prefix_v4_bits": 24 if is_guarded else 8})
    async with running_edge(tmp_path, settings=served) as rig:
        token = await token_from("127.0.1.5", rig.port)
        heard = await start("127.0.2.5", rig.port, token)
        assert heard == ("grant_address" if is_guarded else "ready")
        assert await start("127.0.1.77", rig.port, token) == (
            "ready" if is_guarded else "grant_used"
        )


async def test_a_token_from_another_origin(tmp_path: Path) -> None:
    async with running_edge(tmp_path, settings=settings()) as rig:
        token = await token_from(HOME, rig.port)
        # On the site's list, too: the token is bound to the page, not to the site.
        for origin in ("https://other.example", "https://evil.example", "null"):
            assert await start(HOME, rig.port, token, origin=origin) == "grant_origin"
        assert await start(HOME, rig.port, token, origin=ORIGIN) == "ready"


async def test_a_token_of_another_session_or_purpose(tmp_path: Path) -> None:
    async with running_edge(tmp_path, settings=settings()) as rig:
        mine, other = [await token_from(HOME, rig.port) for _ in range(2)]
        head, _, signature = mine.split(".")
        mixed = ".".join((head, other.split(".")[1], signature))
        assert await start(HOME, rig.port, mixed) == "grant_malformed"
        async with rig.visitor() as visitor:
            await visitor.say("start", token=mine)
            await visitor.hear()
            body = {"token": mine}
            answer = await post(HOME, rig.port, "/v1/sessions/refresh", body, origin=ORIGIN)
            assert answer.status == 200
            going_on = answer.body["token"]
            assert await start(HOME, rig.port, going_on) == "grant_purpose"
            body = {"token": going_on}
            foreign = await post("127.9.9.9", rig.port, "/v1/sessions/refresh", body, origin=ORIGIN)
            assert foreign.code == "grant_address"


@ON_AND_OFF
async def test_ipv6_addresses_of_one_subnet_in_turn(tmp_path: Path, is_guarded: bool) -> None:
    served = settings(calls_per_address=1 if is_guarded else 1_000, calls_per_v6_site=1_000)
    with local_v6_site():
        async with running_edge(tmp_path, settings=served, address="::1") as rig:
            answers = [await ask(f"{V6_SITE}:7::{n:x}", rig.port) for n in range(1, 21)]
    admitted = sum(answer.status == 201 for answer in answers)
    assert admitted == (1 if is_guarded else 20)
    assert {answer.code for answer in answers} == (
        {"ok", "address_calls"} if is_guarded else {"ok"}
    )


@ON_AND_OFF
async def test_ipv6_subnets_of_one_site_in_turn(tmp_path: Path, is_guarded: bool) -> None:
    served = settings(calls_per_address=1, calls_per_v6_site=4 if is_guarded else 1_000)
    with local_v6_site():
        async with running_edge(tmp_path, settings=served, address="::1") as rig:
            answers = [await ask(f"{V6_SITE}:{n:x}::1", rig.port) for n in range(1, 21)]
    assert sum(answer.status == 201 for answer in answers) == (4 if is_guarded else 20)


@ON_AND_OFF
async def test_a_hundred_addresses(tmp_path: Path, is_guarded: bool) -> None:
    """Asking holds no line; of those who start, as many get one as there are."""
    served = settings(calls_per_address=1, calls_max=20 if is_guarded else 1_000)
    together = asyncio.Barrier(101)
    async with running_edge(tmp_path, settings=served) as rig:
        sources = [f"127.0.1.{n}" for n in range(1, 101)]
        answers = [await ask(source, rig.port) for source in sources]
        assert {answer.status for answer in answers} == {201}
        async with asyncio.TaskGroup() as tasks:
            starts = [
                tasks.create_task(start(source, rig.port, one.body["token"], together=together))
                for source, one in zip(sources, answers, strict=True)
            ]
            while together.n_waiting < 100:  # noqa: ASYNC110 - sockets of others: no event
                await asyncio.sleep(0.01)
            late = await ask("127.0.2.1", rig.port)
            await together.wait()
    codes = Counter(one.result() for one in starts)
    assert codes == ({"ready": 20, "site_calls": 80} if is_guarded else {"ready": 100})
    assert late.code == ("site_calls" if is_guarded else "all_calls")  # 100 lines in all
    if is_guarded:
        assert late.status == 429
        assert 0 < int(late.headers["retry-after"]) <= 65


@ON_AND_OFF
async def test_sessions_without_end_that_never_become_a_call(
    tmp_path: Path, is_guarded: bool
) -> None:
    served = settings(sessions_per_address_and_minute=10 if is_guarded else 1_000)
    async with running_edge(tmp_path, settings=served) as rig:
        codes = []
        for _ in range(20):
            answer = await ask(HOME, rig.port)
            codes.append(answer.code)
            if answer.status == 201:  # giving it back frees the call's place, not the minute's
                body = {"token": answer.body["token"]}
                await post(HOME, rig.port, "/v1/sessions/cancel", body, origin=ORIGIN)
    if is_guarded:  # by the minute's limit, or earlier by the gate before it
        assert set(codes) == {"ok", "address_sessions"}
        assert codes.count("ok") <= 10
    else:
        assert set(codes) == {"ok"}


@ON_AND_OFF
async def test_two_hundred_for_the_last_line(tmp_path: Path, is_guarded: bool) -> None:
    served = settings(calls_max=1, calls_per_address=1_000)
    ledger = MemoryLedger() if is_guarded else NoLimits()
    together = asyncio.Barrier(200)
    async with running_edge(tmp_path, settings=served, ledger=ledger) as rig:
        tokens = [await token_from(HOME, rig.port) for _ in range(200)]
        async with asyncio.TaskGroup() as tasks:
            starts = [
                tasks.create_task(start(HOME, rig.port, token, together=together))
                for token in tokens
            ]
    codes = Counter(one.result() for one in starts)
    assert codes == ({"ready": 1, "site_calls": 199} if is_guarded else {"ready": 200})
