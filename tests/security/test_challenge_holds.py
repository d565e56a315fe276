"""S4 under attack. Each attack is refused, and succeeds once its guard is taken away."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from support import edge_rig
from support.edge_rig import ORIGIN, SECRETS, SETTINGS, EdgeRig, running_edge
from support.proof import pack_solution, solve
from support.provider import PROVIDER_SECRET, running_provider
from talkbutton.rules.admission import challenge as proof
from talkbutton.runtime.ledger import MemoryLedger
from talkbutton.settings.model import ChallengeSettings, SiteLimits, SiteSettings

pytestmark = [pytest.mark.security, pytest.mark.anyio]

guarded = pytest.mark.parametrize("guarded", [True, False], ids=["guard on", "guard off"])

PLENTY = SiteLimits(
    calls_per_address=100,
    calls_per_address_and_hour=1_000,
    sessions_per_address_and_minute=1_000,
)


@asynccontextmanager
async def asking_edge(folder: Path, **challenge: Any) -> AsyncIterator[EdgeRig]:
    chosen = ChallengeSettings(
        **{"when": "always", "cost_min": 1_000, "cost_max": 1_000, **challenge}
    )
    sites = {
        name: SiteSettings(allowed_origins=(ORIGIN,), challenge=chosen, limits=PLENTY)
        for name in ("default", "other")
    }
    settings = SETTINGS.model_copy(update={"sites": sites})
    async with running_edge(folder, settings=settings, is_challenging=True) as rig:
        yield rig


async def ask(rig: EdgeRig, solution: str | None = None, *, site: str = "default") -> int:
    body = {"site": site} if solution is None else {"site": site, "challenge": solution}
    return (await post(rig, body)).status_code


async def post(rig: EdgeRig, body: dict[str, str]) -> httpx.Response:
    return await rig.http.post("/v1/sessions", json=body, headers={"Origin": ORIGIN})


async def challenge_of(rig: EdgeRig) -> dict[str, Any]:
    challenge = (await post(rig, {"site": "default"})).json()["challenge"]
    assert isinstance(challenge, dict)
    return challenge


@guarded
async def test_a_session_without_work(tmp_path: Path, guarded: bool) -> None:
    async with asking_edge(tmp_path, when="always" if guarded else "never") as rig:
        assert await ask(rig) == (401 if guarded else 201)


@guarded
async def test_a_burst_of_sessions_without_work(tmp_path: Path, guarded: bool) -> None:
    async with asking_edge(tmp_path, when="pressure" if guarded else "never") as rig:
        codes = [await ask(rig) for _ in range(15)]
        assert codes.count(201) <= 4 if guarded else codes.count(201) == 15


@guarded
async def test_one_proof_for_many_calls(
    tmp_path: Path, guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not guarded:

        async def takes_all(*_args: object, **_named: object) -> None:
            return None

        monkeypatch.setattr(MemoryLedger, "take", takes_all)
    async with asking_edge(tmp_path) as rig:
        solution = solve(await challenge_of(rig))
        codes = [await ask(rig, solution) for _ in range(3)]
        assert codes == ([201, 403, 403] if guarded else [201, 201, 201])


@guarded
async def test_a_stock_of_old_proofs(
    tmp_path: Path, guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not guarded:
        monkeypatch.setattr(proof, "CHALLENGE_TTL_S", 10**6)
    async with asking_edge(tmp_path) as rig:
        solution = solve(await challenge_of(rig))
        rig.unix_s += 3_600
        assert await ask(rig, solution) == (403 if guarded else 201)


@guarded
async def test_work_done_on_another_site(
    tmp_path: Path, guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not guarded:
        monkeypatch.setattr(proof, "_bind", lambda *_: "0" * 16)
    async with asking_edge(tmp_path) as rig:
        solution = solve(await challenge_of(rig))
        assert await ask(rig, solution, site="other") == (403 if guarded else 201)


@guarded
async def test_work_done_by_a_farm_elsewhere(
    tmp_path: Path, guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The solution is brought from another network than the challenge was asked for from."""
    if not guarded:
        monkeypatch.setattr(proof, "_bind", lambda *_: "0" * 16)
    async with asking_edge(tmp_path) as rig:
        solution = solve(await challenge_of(rig))
        elsewhere = httpx.AsyncHTTPTransport(local_address="127.0.1.2")
        async with httpx.AsyncClient(base_url=rig.http.base_url, transport=elsewhere) as rig.http:
            assert await ask(rig, solution) == (403 if guarded else 201)


@guarded
async def test_a_challenge_that_the_attacker_made(
    tmp_path: Path, guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asking_edge(tmp_path) as rig:
        made_up = dict(await challenge_of(rig))
        made_up["challenge"] = proof._hash(made_up["salt"], 7)
        if not guarded:
            monkeypatch.setattr(proof, "_sign", lambda _key, _text: made_up["signature"])
            monkeypatch.setattr(proof, "_bind", lambda *_: made_up["salt"][-17:-1])
        forged = pack_solution(made_up, number=7)
        assert await ask(rig, forged) == (403 if guarded else 201)


@guarded
async def test_a_robot_with_a_low_score(
    tmp_path: Path, guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = SECRETS.model_copy(update={"challenge_provider_secret": SecretStr(PROVIDER_SECRET)})
    monkeypatch.setattr(edge_rig, "SECRETS", secrets)
    async with running_provider() as provider:
        provider.good["t"] = {"hostname": "shop.example", "action": "talkbutton", "score": 0.1}
        async with asking_edge(
            tmp_path,
            kind="recaptcha",
            site_key="k",
            verify_url=provider.url,
            score_min=0.5 if guarded else 0.0,
        ) as rig:
            assert await ask(rig, "t") == (403 if guarded else 201)
