"""What a page may know of a site before it asks anybody for anything; consent on its way."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.edge_rig import OFFER, ORIGIN, PLENTY, SETTINGS, EdgeRig, running_edge
from talkbutton.protocols.ticket import TICKET_HEADER, verify_ticket
from talkbutton.settings.model import ConsentSettings, HoursSettings, Settings, SiteSettings

pytestmark = [pytest.mark.edge, pytest.mark.anyio]

CONSENT = "We record this call."
SITES: dict[str, dict[str, Any]] = {
    "consent": {"consent": ConsentSettings(text=CONSENT)},
    "office": {"hours": HoursSettings(friday=("09:00-17:00",))},  # it is Friday, 08:00
    "never": {
        "hours": HoursSettings(
            monday=(), tuesday=(), wednesday=(), thursday=(), friday=(), saturday=(), sunday=()
        )
    },
    "paused": {"maintenance": "We move house. Back on Monday!"},
}


def settings(sites: dict[str, dict[str, Any]]) -> Settings:
    made = {
        name: SiteSettings(allowed_origins=(ORIGIN,), limits=PLENTY, **more)
        for name, more in sites.items()
    }
    return SETTINGS.model_copy(update={"sites": {**SETTINGS.sites, **made}})


@pytest.fixture
async def rig(tmp_path: Path, anyio_backend: str) -> AsyncIterator[EdgeRig]:
    assert anyio_backend == "asyncio"
    async with running_edge(tmp_path, settings=settings(SITES)) as rig:
        yield rig


async def look(rig: EdgeRig, site: str) -> dict[str, Any]:
    answer = await rig.http.get(f"/v1/sites/{site}", headers={"Origin": ORIGIN})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["cache-control"] == "max-age=5"
    body = answer.json()
    assert isinstance(body, dict)
    return body


async def refusal(rig: EdgeRig, site: str, **more: Any) -> httpx.Response:
    return await rig.http.post(
        "/v1/sessions", json={"site": site, **more}, headers={"Origin": ORIGIN}
    )


async def test_open(rig: EdgeRig) -> None:
    assert await look(rig, "default") == {"site": "default", "state": "open"}
    assert await look(rig, "consent") == {
        "site": "consent",
        "state": "open",
        "consent_text": CONSENT,
    }


async def test_maintenance_in_the_owners_words(rig: EdgeRig) -> None:
    words = SITES["paused"]["maintenance"]
    assert await look(rig, "paused") == {
        "site": "paused",
        "state": "maintenance",
        "detail": words,
    }
    refused = await refusal(rig, "paused")
    assert (refused.status_code, refused.json()["code"]) == (503, "maintenance")
    assert refused.json()["detail"] == words


async def test_outside_hours_and_when_it_opens(rig: EdgeRig) -> None:
    assert await look(rig, "office") == {
        "site": "office",
        "state": "outside_hours",
        "detail": "Nobody answers at this time of day. We are back today at 09:00 (UTC time).",
        "retry_after_s": 3_600,
        "opens_unix": int(rig.unix_s) + 3_600,
    }
    refused = await refusal(rig, "office")
    assert (refused.status_code, refused.json()["code"]) == (503, "outside_hours")
    assert refused.headers["retry-after"] == "3600"
    rig.unix_s += 3_600
    assert (await look(rig, "office"))["state"] == "open"
    assert (await refusal(rig, "office")).status_code == 201


async def test_a_site_that_never_opens_promises_nothing(rig: EdgeRig) -> None:
    assert (await look(rig, "never")).keys() == {"site", "state", "detail"}


async def test_a_part_that_is_down(rig: EdgeRig) -> None:
    rig.gateway.is_ready = False
    body = await look(rig, "default")
    assert body["state"] == "gateway_unavailable"
    assert body["detail"].endswith(".")


async def test_an_unknown_site(rig: EdgeRig) -> None:
    answer = await rig.http.get("/v1/sites/nowhere", headers={"Origin": ORIGIN})
    assert (answer.status_code, answer.json()["code"]) == (404, "site_unknown")
    assert answer.headers["access-control-allow-origin"] == ORIGIN


async def test_a_name_that_no_site_can_have(rig: EdgeRig) -> None:
    answer = await rig.http.get("/v1/sites/..%2F..%2Fetc", headers={"Origin": ORIGIN})
    assert answer.status_code in {404, 422}


@pytest.mark.parametrize("more", [{}, {"consent": False}])
async def test_no_consent_no_call(rig: EdgeRig, more: dict[str, Any]) -> None:
    refused = await refusal(rig, "consent", **more)
    assert (refused.status_code, refused.json()["code"]) == (422, "consent_missing")


@pytest.mark.parametrize("consent", [1, "true", None, [True]])
async def test_a_yes_is_the_word_true(rig: EdgeRig, consent: object) -> None:
    refused = await refusal(rig, "consent", consent=consent)
    assert (refused.status_code, refused.json()["code"]) == (422, "request_invalid")


@pytest.mark.parametrize(("site", "is_asked"), [("consent", True), ("default", False)])
async def test_consent_travels_to_the_bridge_and_is_on_record(
    rig: EdgeRig, site: str, is_asked: bool
) -> None:
    admitted = (await refusal(rig, site, consent=True)).json()
    async with rig.visitor() as visitor:
        await visitor.say("start", token=admitted["token"])
        assert (await visitor.hear())["type"] == "ready"
        await visitor.say("offer", sdp=OFFER)
        await rig.until(lambda: len(rig.gateway.calls) == 1)
    header = rig.gateway.calls[0].asked["headers"][TICKET_HEADER]
    ticket = verify_ticket(header, key="t" * 32, now_unix=rig.unix_s)
    assert ticket.has_consent is is_asked
    [(_, measures)] = [
        event
        for event in await rig.record(admitted["call_id"], until="session.admitted")
        if event[0] == "session.admitted"
    ]
    assert measures["consent"] is is_asked
