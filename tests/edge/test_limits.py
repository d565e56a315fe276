"""Limits, leases and what becomes of a grant, on a running edge."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from support.edge_rig import OFFER, ORIGIN, PLENTY, SECRETS, SETTINGS, EdgeRig, running_edge
from talkbutton.errors import ConnectionLost
from talkbutton.operate.calls import end_call
from talkbutton.protocols.janus import Answered, HungUp, IceConnected, MediaHeard
from talkbutton.rules.admission.claims import Claim, Full
from talkbutton.runtime.ledger import MemoryLedger
from talkbutton.settings.model import LimitsSettings, Settings, SiteLimits, SiteSettings

pytestmark = [pytest.mark.edge, pytest.mark.anyio]


def limited(*, lease_s: int = 20, **limits: int) -> Settings:
    """Return settings of one site with these limits; the others are plenty."""
    site = SiteSettings(
        allowed_origins=(ORIGIN,),
        call_duration_max_s=120,
        limits=SiteLimits.model_validate({**PLENTY.model_dump(), **limits}),
    )
    return SETTINGS.model_copy(
        update={"sites": {"default": site}, "limits": LimitsSettings(lease_s=lease_s)}
    )


class MoodyLedger(MemoryLedger):
    """Does not answer while it is lost."""

    is_lost = False

    async def take(self, holder: str, claims: Sequence[Claim], *, now_unix: float) -> Full | None:
        self._answer()
        return await super().take(holder, claims, now_unix=now_unix)

    async def renew(self, holder: str, *keys: str, until_unix: float, now_unix: float) -> bool:
        self._answer()
        return await super().renew(holder, *keys, until_unix=until_unix, now_unix=now_unix)

    async def weigh(self, key: str, *, now_unix: float) -> float:
        self._answer()
        return await super().weigh(key, now_unix=now_unix)

    def _answer(self) -> None:
        if self.is_lost:
            raise ConnectionLost("the ledger is lost")


@pytest.fixture
async def narrow(tmp_path: Path, anyio_backend: str) -> AsyncIterator[EdgeRig]:
    assert anyio_backend == "asyncio"
    async with running_edge(tmp_path, settings=limited(calls_per_address=1)) as rig:
        yield rig


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json()["code"])


async def post(rig: EdgeRig, what: str, token: str, origin: str = ORIGIN) -> httpx.Response:
    return await rig.http.post(
        f"/v1/sessions/{what}", json={"token": token}, headers={"Origin": origin}
    )


async def test_a_limit_is_told_with_its_reason_and_when_to_try_again(narrow: EdgeRig) -> None:
    assert (await narrow.ask()).status_code == 201
    answer = await narrow.ask()
    assert refusal(answer) == (429, "address_calls")
    assert answer.headers["retry-after"] == "65"  # the grant's minute, and a little
    assert answer.json()["retry_after_s"] == 65
    assert answer.json()["detail"].endswith(".")
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    narrow.unix_s += 65
    assert (await narrow.ask()).status_code == 201


async def test_a_call_that_ended_makes_room_at_once(narrow: EdgeRig) -> None:
    async with narrow.caller() as (visitor, _):
        assert refusal(await narrow.ask()) == (429, "address_calls")
        await visitor.say("bye", reason="hangup")
        await visitor.hear_end()
    assert (await narrow.ask()).status_code == 201


async def test_a_page_that_is_closed_makes_room(narrow: EdgeRig) -> None:
    async with narrow.caller() as (_, call):
        pass
    await narrow.until(lambda: call.is_hung_up)
    await until_admitted(narrow)


async def until_admitted(rig: EdgeRig) -> None:
    async with asyncio.timeout(5):
        while (await rig.ask()).status_code != 201:  # noqa: ASYNC110 - asked from outside
            await asyncio.sleep(0.02)


async def test_a_session_that_is_given_back_makes_room_and_starts_nothing(narrow: EdgeRig) -> None:
    token = await narrow.token()
    assert (await post(narrow, "cancel", token)).status_code == 204
    assert refusal(await post(narrow, "cancel", token)) == (403, "grant_used")
    assert (await narrow.ask()).status_code == 201
    async with narrow.visitor() as visitor:
        await visitor.say("start", token=token)
        assert (await visitor.hear())["code"] == "grant_used"


async def test_only_calls_with_sound_count_for_the_hour(tmp_path: Path) -> None:
    settings = limited(calls_per_address_and_hour=2)
    async with running_edge(tmp_path, settings=settings) as rig:
        for _ in range(4):  # never any sound
            async with rig.caller() as (visitor, call):
                call.tell(Answered("v=0 answer"))
                call.tell(IceConnected())
                await visitor.hear()
                await visitor.say("bye", reason="hangup")
                await visitor.hear_end()
        for number in range(2):
            async with rig.caller() as (visitor, call):
                call.tell(MediaHeard())
                call.tell(HungUp(200, "over"))
                await visitor.hear_end()
            assert await rig.ledger.weigh("hour:address:127.0.0.1", now_unix=rig.unix_s) == (
                number + 1
            )
        answer = await rig.ask()
        assert refusal(answer) == (429, "address_calls_per_hour")
        assert answer.headers["retry-after"] == "3600"
        rig.unix_s += 3_600
        assert (await rig.ask()).status_code == 201


async def test_leases_are_renewed_while_the_call_lives(tmp_path: Path) -> None:
    settings = limited(lease_s=5, calls_per_address=1)
    async with running_edge(tmp_path, settings=settings) as rig, rig.caller() as (_, call):
        call.tell(MediaHeard())
        lease = f"call:{call.asked['call_id']}"
        for _ in range(3):
            rig.unix_s += 4
            await until_held(rig, lease, rig.unix_s + 4.5)
        assert refusal(await rig.ask()) == (429, "address_calls")


async def until_held(rig: EdgeRig, key: str, at_unix: float) -> None:
    """Wait until somebody holds the key at this later moment."""
    async with asyncio.timeout(5):
        while await rig.ledger.weigh(key, now_unix=at_unix) < 1:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)


async def test_without_the_ledger_nobody_starts_and_calls_go_on(tmp_path: Path) -> None:
    ledger = MoodyLedger()
    settings = limited(lease_s=5, calls_per_address=2)
    async with running_edge(tmp_path, settings=settings, ledger=ledger) as rig:
        waiting = await rig.token()
        async with rig.caller() as (visitor, call):
            ledger.is_lost = True
            assert refusal(await rig.ask()) == (503, "limits_unavailable")
            assert await rig.ready_code() == "limits_unavailable"
            async with rig.visitor() as late:
                await late.say("start", token=waiting)
                assert (await late.hear())["code"] == "limits_unavailable"
            rig.unix_s += 100  # all leases have ended meanwhile
            ledger.is_lost = False
            await until_held(rig, f"call:{call.asked['call_id']}", rig.unix_s)
            await until_held(rig, "calls:all", rig.unix_s)
            call.tell(Answered("v=0 answer"))
            assert (await visitor.hear())["type"] == "answer"


async def test_a_ledger_that_forgot_lets_no_old_grant_start(narrow: EdgeRig) -> None:
    token = await narrow.token()
    assert isinstance(narrow.ledger, MemoryLedger)
    narrow.ledger._held.clear()
    async with narrow.visitor() as visitor:
        await visitor.say("start", token=token)
        assert (await visitor.hear())["code"] == "grant_expired"


async def test_a_call_is_refreshed_while_it_lives(tmp_path: Path) -> None:
    settings = limited(lease_s=5)
    async with running_edge(tmp_path, settings=settings) as rig, rig.visitor() as visitor:
        token = await rig.token()
        assert refusal(await post(rig, "refresh", token)) == (409, "call_over")  # not begun
        await visitor.say("start", token=token)
        call_id = (await visitor.hear())["call_id"]
        rig.unix_s += 90  # the start grant itself has ended
        await until_held(rig, f"call:{call_id}", rig.unix_s)
        answer = await post(rig, "refresh", token)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        body = answer.json()
        assert body["call_id"] == call_id
        assert body["ice_servers"][0]["username"] == f"{int(rig.unix_s) + 300}:{call_id}"
        again = await post(rig, "refresh", body["token"])
        assert again.status_code == 200
        assert refusal(await post(rig, "refresh", token, "https://evil.example")) == (
            403,
            "grant_origin",
        )
        async with rig.visitor() as other:
            await other.say("start", token=body["token"])
            assert (await other.hear())["code"] == "grant_purpose"
        assert refusal(await post(rig, "cancel", body["token"])) == (403, "grant_purpose")
        await visitor.say("bye", reason="hangup")
        await visitor.hear_end()
        for old in (token, body["token"], again.json()["token"]):
            assert refusal(await post(rig, "refresh", old)) == (409, "call_over")
        events = await rig.record(call_id, until="call.ended")
        names = [name for name, _ in events]
        assert names[:3] == ["session.admitted", "grant.refused", "grant.spent"]
        assert names.count("grant.refreshed") == 2


async def test_a_call_is_refreshed_so_often_and_no_more(rig: EdgeRig) -> None:
    async with rig.visitor() as visitor:
        token = await rig.token()
        await visitor.say("start", token=token)
        await visitor.hear()
        answers = [(await post(rig, "refresh", token)).status_code for _ in range(11)]
    assert answers == [200] * 10 + [429]  # the call is shorter than the credentials live


@pytest.mark.parametrize("body", [{}, {"token": 5}, {"token": "x" * 3_000}, {"token": "x", "y": 1}])
async def test_a_wrong_body(rig: EdgeRig, body: dict[str, object]) -> None:
    answer = await rig.http.post("/v1/sessions/refresh", json=body, headers={"Origin": ORIGIN})
    assert refusal(answer) == (422, "request_invalid")


async def test_the_operator_ends_a_call(rig: EdgeRig, tmp_path: Path) -> None:
    async with rig.visitor() as visitor:
        token = await rig.token()
        await visitor.say("start", token=token)
        call_id = (await visitor.hear())["call_id"]
        await visitor.say("offer", sdp=OFFER)
        await rig.until(lambda: len(rig.gateway.calls) == 1)
        assert await end_call(call_id, rig.ledger, tmp_path, now_unix=rig.unix_s)
        last, _ = await visitor.hear_end()
        assert last is not None
        assert (last["type"], last["cause"]) == ("ended", "operator_hung_up")
    assert rig.gateway.calls[0].is_hung_up
    assert refusal(await post(rig, "refresh", token)) == (403, "grant_revoked")
    events = await rig.record(call_id, until="call.ended")
    assert ("grant.revoked", {}) in events
    assert ("call.ended", {"cause": "operator_hung_up"}) in events


async def test_an_edge_that_the_bus_does_not_reach_learns_of_the_end(tmp_path: Path) -> None:
    settings = limited(lease_s=5)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    async with running_edge(tmp_path, settings=settings) as rig, rig.caller() as (visitor, call):
        await end_call(call.asked["call_id"], rig.ledger, elsewhere, now_unix=rig.unix_s)
        last, _ = await visitor.hear_end()
        assert last is not None
        assert last["cause"] == "operator_hung_up"


async def test_a_revoked_grant_starts_nothing(rig: EdgeRig, tmp_path: Path) -> None:
    answer = (await rig.ask()).json()
    assert not await end_call(answer["call_id"], rig.ledger, tmp_path, now_unix=rig.unix_s)
    async with rig.visitor() as visitor:
        await visitor.say("start", token=answer["token"])
        assert (await visitor.hear())["code"] == "grant_revoked"


async def test_grants_outlive_the_change_of_their_key(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    async with running_edge(tmp_path, ledger=ledger) as rig:
        token = await rig.token()
    new = SECRETS.model_copy(
        update={"grant_key": SecretStr("n" * 32), "grant_key_previous": SECRETS.grant_key}
    )
    async with running_edge(tmp_path, ledger=ledger, secrets=new) as rig, rig.visitor() as visitor:
        await visitor.say("start", token=token)
        assert (await visitor.hear())["type"] == "ready"
    dropped = new.model_copy(update={"grant_key_previous": None})
    async with (
        running_edge(tmp_path, ledger=ledger, secrets=dropped) as rig,
        rig.visitor() as visitor,
    ):
        await visitor.say("start", token=token)
        assert (await visitor.hear())["code"] == "grant_malformed"
