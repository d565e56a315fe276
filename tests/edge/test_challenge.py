"""The challenge between a session request and its grant, over real sockets."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from support.edge_rig import ORIGIN, PLENTY, SECRETS, SETTINGS, EdgeRig, running_edge
from support.proof import pack_solution, solve
from support.provider import PROVIDER_SECRET, Provider, running_provider
from talkbutton.edge import challenge_provider
from talkbutton.edge.challenge import check_provider_secret
from talkbutton.errors import SettingsError
from talkbutton.runtime.ledger import MemoryLedger
from talkbutton.settings.model import ChallengeSettings, Settings, SiteSettings

pytestmark = [pytest.mark.edge, pytest.mark.anyio]

BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept-Language": "en",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Site": "cross-site",
}


def challenging(**challenge: Any) -> Settings:
    chosen = ChallengeSettings(**{"cost_min": 1_000, "cost_max": 4_000, **challenge})
    sites = {
        "default": SiteSettings(allowed_origins=(ORIGIN,), challenge=chosen, limits=PLENTY),
        "other": SiteSettings(allowed_origins=(ORIGIN,), challenge=chosen, limits=PLENTY),
    }
    return SETTINGS.model_copy(update={"sites": sites})


@pytest.fixture
async def always(tmp_path: Path) -> AsyncIterator[EdgeRig]:
    async with running_edge(
        tmp_path, settings=challenging(when="always"), is_challenging=True
    ) as rig:
        yield rig


@pytest.fixture
async def pressed(tmp_path: Path) -> AsyncIterator[EdgeRig]:
    async with running_edge(tmp_path, settings=challenging(), is_challenging=True) as rig:
        yield rig


async def ask(
    rig: EdgeRig, solution: str | None = None, *, site: str = "default", **headers: str
) -> httpx.Response:
    body = {"site": site} if solution is None else {"site": site, "challenge": solution}
    sent = {"Origin": ORIGIN, **BROWSER, **headers}
    return await rig.http.post("/v1/sessions", json=body, headers=sent)


async def challenge_of(rig: EdgeRig, **headers: str) -> dict[str, Any]:
    answer = await ask(rig, **headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "challenge_needed"), answer.text
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["cache-control"] == "no-store"
    challenge = answer.json()["challenge"]
    assert isinstance(challenge, dict)
    return challenge


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_solved_challenge_opens_the_session(always: EdgeRig) -> None:
    challenge = await challenge_of(always)
    assert challenge["maxnumber"] == 2_000
    answer = await ask(always, solve(challenge))
    assert answer.status_code == 201
    call_id = answer.json()["call_id"]
    assert challenge["salt"].startswith(f"{call_id}?")
    events = await always.record(call_id, until="session.admitted")
    assert [name for name, _ in events] == [
        "challenge.asked",
        "challenge.solved",
        "session.admitted",
    ]
    assert events[0][1] == {
        "site": "default",
        "kind": "proof_of_work",
        "cost": 1_000,
        "strain": 0.0,
        "signals": "",
        "pii.address": "127.0.0.1",
    }
    assert (events[1][1]["cost"], events[1][1]["kind"]) == (1_000, "proof_of_work")


async def test_a_solution_is_good_once(always: EdgeRig) -> None:
    challenge = await challenge_of(always)
    solution = solve(challenge)
    answers = await asyncio.gather(*(ask(always, solution) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [201] + [403] * 19
    again = await ask(always, solution)
    assert refusal(again) == (403, "challenge_failed")
    call_id = challenge["salt"].split("?")[0]
    events = await always.record(call_id, until="challenge.failed")
    assert dict(events)["challenge.failed"]["reason"] == "used"


async def test_without_single_use_it_would_be_good_again(
    always: EdgeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard taken away: the attack succeeds."""

    async def takes_all(*_args: object, **_named: object) -> None:
        return None

    monkeypatch.setattr(MemoryLedger, "take", takes_all)
    solution = solve(await challenge_of(always))
    assert [(await ask(always, solution)).status_code for _ in range(2)] == [201, 201]


async def test_it_is_good_for_its_site_and_time_only(always: EdgeRig) -> None:
    solution = solve(await challenge_of(always))
    assert refusal(await ask(always, solution, site="other")) == (403, "challenge_failed")
    always.unix_s += 120
    assert refusal(await ask(always, solution)) == (403, "challenge_failed")
    always.unix_s -= 1
    assert (await ask(always, solution)).status_code == 201


@pytest.mark.parametrize("solution", ["x", "e30=", "\U0001f600", "A" * 5_000])
async def test_nonsense_is_no_solution(always: EdgeRig, solution: str) -> None:
    assert refusal(await ask(always, solution)) == (403, "challenge_failed")


async def test_a_solution_has_a_form_and_a_size(always: EdgeRig) -> None:
    assert refusal(await ask(always, "A" * 6_001)) == (422, "request_invalid")
    assert refusal(await ask(always, "")) == (422, "request_invalid")


async def test_a_wrong_number_costs_the_next_one_more(always: EdgeRig) -> None:
    challenge = await challenge_of(always)
    for _ in range(4):
        answer = await ask(always, pack_solution(challenge, number=2_001))
        assert refusal(answer) == (403, "challenge_failed")
        assert "challenge" not in answer.json()
    assert (await challenge_of(always))["maxnumber"] > challenge["maxnumber"]


async def test_who_is_refused_anyway_does_not_work_first(always: EdgeRig) -> None:
    answer = await ask(always, Origin="https://evil.example")
    assert refusal(answer) == (403, "origin_refused")
    assert refusal(await ask(always, site="nowhere")) == (404, "site_unknown")
    always.gateway.is_ready = False
    assert refusal(await ask(always)) == (503, "gateway_unavailable")


async def test_pressure_asks_who_presses_hard_and_forgives(pressed: EdgeRig) -> None:
    codes = [(await ask(pressed)).status_code for _ in range(6)]
    assert codes == [201, 201, 201, 201, 401, 401]
    maxnumbers = [(await challenge_of(pressed))["maxnumber"] for _ in range(4)]
    assert maxnumbers == sorted(maxnumbers)
    assert maxnumbers[-1] > maxnumbers[0]
    assert (await ask(pressed, solve(await challenge_of(pressed)))).status_code == 201
    pressed.monotonic_s += 180
    pressed.beat()
    await pressed.until_ready_code("ok")
    assert (await ask(pressed)).status_code == 201


async def test_refusals_are_pressure(pressed: EdgeRig) -> None:
    for _ in range(4):
        assert (await ask(pressed, Origin="https://evil.example")).status_code == 403
    await challenge_of(pressed)


async def test_what_looks_like_a_program_pays_at_once_and_is_let_in(pressed: EdgeRig) -> None:
    headless = BROWSER["User-Agent"].replace("Firefox/", "HeadlessChrome/1 Firefox/")
    challenge = await challenge_of(pressed, **{"User-Agent": headless})
    pressed.unix_s += 1
    assert (await ask(pressed, solve(challenge))).status_code == 201
    assert (await ask(pressed)).status_code == 201


async def test_work_faster_than_any_browser_is_pressure(pressed: EdgeRig) -> None:
    challenge = await challenge_of(pressed, **{"User-Agent": ""})
    solution = solve(challenge)  # the test's clock stands still
    assert (await ask(pressed, solution)).status_code == 201
    await challenge_of(pressed)


async def test_never_asks_nobody(tmp_path: Path) -> None:
    settings = challenging(when="never")
    async with running_edge(tmp_path, settings=settings, is_challenging=True) as rig:
        for _ in range(8):
            assert (await ask(rig, **{"User-Agent": ""})).status_code == 201


async def test_a_call_that_starts_faster_than_any_browser_is_pressure(pressed: EdgeRig) -> None:
    token = (await ask(pressed)).json()["token"]
    async with pressed.visitor() as visitor:  # the test's clock stands still
        await visitor.say("start", token=token)
        assert (await visitor.hear())["type"] == "ready"
    await challenge_of(pressed)


# Providers


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with running_provider() as running:
        yield running


@pytest.fixture
async def asking(
    tmp_path: Path,
    provider: Provider,
    request: pytest.FixtureRequest,
) -> AsyncIterator[EdgeRig]:
    kind, version = request.param
    secrets = SECRETS.model_copy(update={"challenge_provider_secret": SecretStr(PROVIDER_SECRET)})
    settings = challenging(
        when="always",
        kind=kind,
        recaptcha_version=version,
        site_key="site-key",
        verify_url=provider.url,
    )
    async with running_edge(
        tmp_path, settings=settings, secrets=secrets, is_challenging=True
    ) as rig:
        yield rig


TURNSTILE = ("turnstile", 3)
KINDS = [TURNSTILE, ("hcaptcha", 3), ("recaptcha", 2), ("recaptcha", 3)]
each_kind = pytest.mark.parametrize("asking", KINDS, indirect=True)
turnstile = pytest.mark.parametrize("asking", [TURNSTILE], indirect=True)
GOOD = {"hostname": "shop.example", "action": "talkbutton", "score": 0.9}


@each_kind
async def test_a_token_that_the_provider_knows(asking: EdgeRig, provider: Provider) -> None:
    challenge = await challenge_of(asking)
    assert challenge["site_key"] == "site-key"
    provider.good["t1"] = GOOD
    answer = await ask(asking, "t1")
    assert answer.status_code == 201
    [form] = provider.asked
    assert (form["secret"], form["response"]) == (PROVIDER_SECRET, "t1")
    assert "remoteip" not in form
    events = await asking.record(answer.json()["call_id"], until="session.admitted")
    assert "challenge.solved" in dict(events)


@each_kind
async def test_a_replayed_token(asking: EdgeRig, provider: Provider) -> None:
    provider.good["t1"] = GOOD
    assert (await ask(asking, "t1")).status_code == 201
    assert refusal(await ask(asking, "t1")) == (403, "challenge_failed")
    assert len(provider.asked) == 1, "our own ledger refused it"


@turnstile
async def test_a_token_that_another_edge_used(asking: EdgeRig, provider: Provider) -> None:
    provider.good["t1"] = GOOD
    provider._judge({"secret": PROVIDER_SECRET, "response": "t1"})
    assert refusal(await ask(asking, "t1")) == (403, "challenge_failed")
    events = await asking.record("", until="challenge.failed")
    assert events[-1][1]["reason"] == "provider_used"


@each_kind
async def test_a_token_nobody_gave(asking: EdgeRig) -> None:
    assert refusal(await ask(asking, "made-up")) == (403, "challenge_failed")


@each_kind
async def test_a_token_from_another_page(asking: EdgeRig, provider: Provider) -> None:
    provider.good["t1"] = {**GOOD, "hostname": "evil.example"}
    assert refusal(await ask(asking, "t1")) == (403, "challenge_failed")


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
        b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
        b"\x00\xffnonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b" " * 100_000 + b'{"success":true}',
    ],
)
@turnstile
async def test_garbage_lets_nobody_in(
    asking: EdgeRig, provider: Provider, raw: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    provider.raw = raw
    answer = await ask(asking, "t1")
    assert refusal(answer) == (403, "challenge_failed")
    assert answer.json()["detail"].startswith("We cannot check")
    assert "nobody passes: turnstile" in caplog.text
    assert PROVIDER_SECRET not in caplog.text
    assert "t1" not in caplog.text


@turnstile
async def test_silence_lets_nobody_in(
    asking: EdgeRig, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(challenge_provider, "DEADLINE_S", 0.2)
    provider.is_silent = True
    assert refusal(await ask(asking, "t1")) == (403, "challenge_failed")
    assert provider.asked_once.is_set()


@turnstile
async def test_a_wrong_secret_lets_nobody_in_and_says_so(
    asking: EdgeRig, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    body = json.dumps({"success": False, "error-codes": ["invalid-input-secret"]}).encode()
    provider.raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with caplog.at_level(logging.ERROR, "talkbutton.edge"):
        assert refusal(await ask(asking, "t1")) == (403, "challenge_failed")
    assert "nobody passes: turnstile answered invalid-input-secret" in caplog.text


@turnstile
async def test_one_address_can_not_make_us_ask_without_end(
    asking: EdgeRig, provider: Provider
) -> None:
    answers = [await ask(asking, f"made-up-{number}") for number in range(11)]
    assert refusal(answers[-1]) == (429, "address_sessions")
    assert len(provider.asked) == 10


def test_a_provider_without_its_secret_does_not_start() -> None:
    settings = challenging(kind="turnstile", site_key="k")
    with pytest.raises(SettingsError, match="challenge_provider_secret"):
        check_provider_secret(settings, SECRETS)
    check_provider_secret(challenging(kind="turnstile", site_key="k", when="never"), SECRETS)
