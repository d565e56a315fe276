"""What stands before the application: proxies, floods, headers."""

from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from support.edge_rig import ORIGIN, SETTINGS, EdgeRig, running_edge
from talkbutton.edge.gate import asking_rate
from talkbutton.edge.middleware import BODY_MAX_BYTES
from talkbutton.rules.admission.rates import Rate
from talkbutton.settings.model import Settings, SiteLimits, SiteSettings

pytestmark = [pytest.mark.edge, pytest.mark.anyio]

TRUSTING = SETTINGS.model_copy(
    update={"edge": SETTINGS.edge.model_copy(update={"trusted_proxies": ("127.0.0.1/32",)})}
)
STANDARD = TRUSTING.model_copy(
    update={"edge": TRUSTING.edge.model_copy(update={"forwarded_header": "forwarded"})}
)
STRICT = SETTINGS.model_copy(
    update={
        "sites": {
            "default": SiteSettings(
                # An address gets 6 at once, then one in 20 s: no machine is too slow for that.
                allowed_origins=(ORIGIN,),
                limits=SiteLimits(sessions_per_address_and_minute=1),
            )
        }
    }
)
BOTH = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9", "Forwarded": "for=6.6.6.6, for=203.0.113.8"}


@pytest.mark.parametrize(
    ("settings", "address"),
    [(SETTINGS, "127.0.0.1"), (TRUSTING, "203.0.113.9"), (STANDARD, "203.0.113.8")],
)
async def test_the_address_is_what_the_named_proxy_says_in_the_named_header(
    tmp_path: Path, settings: Settings, address: str
) -> None:
    async with running_edge(tmp_path, settings=settings) as rig:
        answer = await rig.ask(**BOTH)
        events = await rig.record(answer.json()["call_id"], until="session.admitted")
    assert events[0][1]["pii.address"] == address


async def test_the_socket_believes_the_same_proxies(tmp_path: Path) -> None:
    """The grant is for one network; the socket is asked from another one, then from the same."""
    async with running_edge(tmp_path, settings=TRUSTING) as rig:
        token = (await rig.ask(**{"X-Forwarded-For": "203.0.113.9"})).json()["token"]
        for address, said in (("198.51.100.1", "error"), ("203.0.113.77", "ready")):
            async with rig.visitor(headers={"X-Forwarded-For": address}) as visitor:
                await visitor.say("start", token=token)
                assert (await visitor.hear())["type"] == said


async def test_a_flood_is_refused_with_words_the_page_can_read(tmp_path: Path) -> None:
    async with running_edge(tmp_path, settings=STRICT) as rig:
        answers = [await rig.ask() for _ in range(20)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert answers[0].status_code == 201
        assert refused
        answer = refused[-1]
        assert answer.json()["code"] == "address_sessions"
        assert int(answer.headers["retry-after"]) == answer.json()["retry_after_s"] >= 1
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert answer.headers["access-control-expose-headers"] == "Retry-After"
        assert answer.headers["x-content-type-options"] == "nosniff"
        with pytest.raises(InvalidStatus) as refusal:  # noqa: PT012 - one of them is refused
            for _ in range(20):
                async with rig.visitor():
                    pass
        assert refusal.value.response.status_code == 429
        assert (await rig.http.get("/healthz")).status_code == 200


async def test_behind_a_proxy_every_visitor_has_a_rate_of_their_own(tmp_path: Path) -> None:
    edge = STRICT.edge.model_copy(update={"trusted_proxies": ("127.0.0.1/32",)})
    settings = STRICT.model_copy(update={"edge": edge})
    async with running_edge(tmp_path, settings=settings) as rig:
        for number in range(20):
            answer = await rig.ask(**{"X-Forwarded-For": f"203.0.113.{number}"})
            assert answer.status_code == 201


async def test_behind_a_proxy_every_visitor_has_a_share_of_sockets(tmp_path: Path) -> None:
    edge = TRUSTING.edge.model_copy(update={"sockets_per_address_max": 1})
    settings = TRUSTING.model_copy(update={"edge": edge})
    mine, other = {"X-Forwarded-For": "203.0.113.1"}, {"X-Forwarded-For": "203.0.113.2"}
    async with running_edge(tmp_path, settings=settings) as rig:
        async with rig.visitor(headers=mine):
            with pytest.raises(InvalidStatus):
                async with rig.visitor(headers=mine):
                    pass
            async with rig.visitor(headers=other):
                pass
        async with rig.visitor(headers=mine):
            pass


def test_the_gate_is_never_stricter_than_the_sites_limits() -> None:
    limits = SiteLimits(sessions_per_address_and_minute=600)
    settings = Settings(version=1, sites={"a": SiteSettings(), "b": SiteSettings(limits=limits)})
    assert asking_rate(settings).per_s >= 10
    assert asking_rate(Settings(version=1)) == Rate(per_s=1 / 3, burst=6)


async def test_no_answer_sets_a_cookie_or_may_be_framed(rig: EdgeRig) -> None:
    answers: list[httpx.Response] = [
        await rig.ask(),
        await rig.ask(Origin="https://evil.example"),
        await rig.ask(Cookie="session=1"),
        await rig.ask("nowhere"),
        await rig.ask("x" * BODY_MAX_BYTES),
        await rig.http.options("/v1/sessions", headers={"Origin": ORIGIN}),
        await rig.http.get("/v1/sessions"),
        *[await rig.http.get(path) for path in ("/", "/docs", "/openapi.json", "/readyz", "/no")],
    ]
    assert {answer.status_code for answer in answers} >= {201, 403, 404, 405, 413, 200}
    for answer in answers:
        assert "set-cookie" not in answer.headers
        assert "access-control-allow-credentials" not in answer.headers
        assert answer.headers["x-frame-options"] == "DENY"
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert "camera=()" in answer.headers["permissions-policy"]


async def test_only_the_edges_own_https_is_promised(tmp_path: Path) -> None:
    edge = SETTINGS.edge.model_copy(update={"public_url": "http://127.0.0.1:8080"})
    settings = SETTINGS.model_copy(update={"edge": edge})
    async with running_edge(tmp_path, settings=settings) as rig:
        assert "strict-transport-security" not in (await rig.http.get("/healthz")).headers


async def test_a_site_may_allow_all_names_below_its_domain(tmp_path: Path) -> None:
    site = SETTINGS.sites["default"].model_copy(
        update={"allowed_origins": ("https://*.shop.example",)}
    )
    settings = SETTINGS.model_copy(update={"sites": {"default": site}})
    async with running_edge(tmp_path, settings=settings) as rig:
        assert (await rig.ask(Origin="https://a.b.shop.example")).status_code == 201
        for origin in ("https://shop.example", "https://evilshop.example", "null"):
            answer = await rig.ask(Origin=origin)
            assert (answer.status_code, answer.json()["code"]) == (403, "origin_refused")


async def test_who_finds_no_time_is_told_that_all_lines_are_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("talkbutton.edge.gate._SLOTS", 0)
    monkeypatch.setattr("talkbutton.edge.gate._WAITING_MAX", 0)
    async with running_edge(tmp_path) as rig:
        answer = await rig.ask()
        assert (answer.status_code, answer.json()["code"]) == (429, "all_sessions")
        assert answer.headers["retry-after"] == "5"
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert (await rig.http.get("/healthz")).status_code == 200
