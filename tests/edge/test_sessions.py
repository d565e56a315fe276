import asyncio
import json
from pathlib import Path

import httpx
import jwt
import pytest

from support.edge_rig import ORIGIN, SETTINGS, EdgeRig, running_edge
from talkbutton.edge.ice import mint_ice_servers, turn_host
from talkbutton.protocols.turn import sign_username
from talkbutton.settings.model import NetworkSettings, Settings, TurnSettings

pytestmark = [pytest.mark.edge, pytest.mark.anyio]


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["type"] == "about:blank"
    assert body["title"]
    assert body["detail"].endswith(".")
    return answer.status_code, body["code"]


async def test_gives_a_grant_and_all_that_the_button_needs(rig: EdgeRig) -> None:
    answer = await rig.ask()
    assert answer.status_code == 201
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    token, call_id = body.pop("token"), body.pop("call_id")
    username = f"1800000300:{call_id}"
    assert body == {
        "expires_in_s": 60,
        "signaling_url": "wss://talk.example/v1/signaling",
        "site": "default",
        "ice_servers": [
            {
                "urls": [
                    "turn:198.51.100.7:3478?transport=udp",
                    "turn:198.51.100.7:3478?transport=tcp",
                ],
                "username": username,
                "credential": sign_username("u" * 32, username),
            }
        ],
        "ice_transport_policy": "all",
        "codec_preference": ["opus", "PCMU"],
        "limits": {"call_duration_max_s": 120},
    }
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["call"] == call_id
    assert claims["exp"] - claims["nbf"] == 60
    events = await rig.record(call_id, until="session.admitted")
    assert events == [
        (
            "session.admitted",
            {
                "site": "default",
                "origin": ORIGIN,
                "consent": False,
                "pii.address": "127.0.0.1",
            },
        )
    ]


async def test_the_site_is_default_where_none_is_named(rig: EdgeRig) -> None:
    for content in ("", "{}"):
        answer = await rig.http.post(
            "/v1/sessions",
            content=content,
            headers={"Origin": ORIGIN, "Content-Type": "application/json"},
        )
        assert (answer.status_code, answer.json()["site"]) == (201, "default")


async def test_a_site_may_force_the_relay(rig: EdgeRig) -> None:
    assert (await rig.ask("relayed")).json()["ice_transport_policy"] == "relay"


async def test_two_grants_are_two_calls(rig: EdgeRig) -> None:
    first, second = (await rig.ask()).json(), (await rig.ask()).json()
    assert first["call_id"] != second["call_id"]
    assert first["token"] != second["token"]


async def test_an_unknown_site(rig: EdgeRig) -> None:
    assert problem(await rig.ask("nowhere")) == (404, "site_unknown")


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "https://shop.example.evil", "http://shop.example", "null"],
)
async def test_another_origin_is_refused_and_can_read_why(rig: EdgeRig, origin: str) -> None:
    answer = await rig.ask(Origin=origin)
    assert problem(answer) == (403, "origin_refused")
    assert answer.headers["access-control-allow-origin"] == origin
    assert "Origin" in answer.headers["vary"]


async def test_no_origin_is_refused(rig: EdgeRig) -> None:
    answer = await rig.http.post("/v1/sessions", json={})
    assert problem(answer) == (403, "origin_refused")
    assert "access-control-allow-origin" not in answer.headers


async def test_a_refusal_is_on_record(rig: EdgeRig) -> None:
    rig.gateway.is_ready = False
    assert problem(await rig.ask()) == (503, "gateway_unavailable")
    events = await rig.record("", until="session.refused")
    assert events[0][1]["code"] == "gateway_unavailable"


async def test_an_origin_that_is_no_origin_is_not_repeated(rig: EdgeRig) -> None:
    answer = await rig.ask(Origin="https://a.example/ x, *")
    assert problem(answer) == (403, "origin_refused")
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '"default"',
        '{"site":5}',
        '{"site":""}',
        '{"site":"../etc"}',
        '{"site":"default","destination":"sip:1"}',
        '{"site":"' + "x" * 100 + '"}',
        "\ud800".encode("utf-8", "surrogatepass"),
        b"\xff\xfe",
    ],
)
async def test_a_wrong_body_is_refused_and_the_page_can_read_why(
    rig: EdgeRig, content: str | bytes
) -> None:
    answer = await rig.http.post(
        "/v1/sessions",
        content=content,
        headers={"Origin": ORIGIN, "Content-Type": "application/json"},
    )
    status, code = problem(answer)
    assert status in {400, 422}
    assert code == "request_invalid"
    assert answer.headers["access-control-allow-origin"] == ORIGIN


async def test_a_body_that_is_not_json_by_name(rig: EdgeRig) -> None:
    headers = {"Origin": ORIGIN, "Content-Type": "text/plain"}
    answer = await rig.http.post("/v1/sessions", content="{}", headers=headers)
    assert problem(answer) == (422, "request_invalid")


async def test_a_long_body_is_refused(rig: EdgeRig) -> None:
    answer = await rig.ask("x" * 9_000)
    assert problem(answer) == (413, "request_invalid")
    assert answer.headers["access-control-allow-origin"] == ORIGIN


async def test_a_long_body_of_unknown_length_is_refused(rig: EdgeRig) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(
        b"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nOrigin: https://shop.example\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        + (b"400\r\n" + b" " * 0x400 + b"\r\n")
        * 9
    )
    head = await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)
    writer.close()
    await writer.wait_closed()
    assert head.split()[1] == b"413"


async def test_preflight_lets_any_page_ask(rig: EdgeRig) -> None:
    answer = await rig.http.options(
        "/v1/sessions",
        headers={
            "Origin": "https://evil.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        },
    )
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "https://evil.example"
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert answer.headers["access-control-allow-headers"] == "content-type"
    assert "access-control-allow-credentials" not in answer.headers


async def test_a_wrong_method_is_a_problem_that_the_page_can_read(rig: EdgeRig) -> None:
    answer = await rig.http.get("/v1/sessions", headers={"Origin": ORIGIN})
    assert problem(answer) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"
    assert answer.headers["access-control-allow-origin"] == ORIGIN


async def test_forwarded_addresses_are_not_believed(rig: EdgeRig) -> None:
    answer = await rig.ask(**{"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9"})
    events = await rig.record(answer.json()["call_id"], until="session.admitted")
    assert events[0][1]["pii.address"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("bridge", "code"),
    [
        ({"ready": False, "line_ready": False}, "line_unavailable"),
        ({"ready": False, "bot_ready": False}, "bot_unavailable"),
    ],
)
async def test_says_which_part_is_down_and_recovers(
    rig: EdgeRig, bridge: dict[str, bool], code: str
) -> None:
    rig.beat(**bridge)
    await rig.until_ready_code(code)
    answer = await rig.ask()
    assert problem(answer) == (503, code)
    assert answer.headers["retry-after"] == str(answer.json()["retry_after_s"])
    assert answer.headers["access-control-expose-headers"] == "Retry-After"
    rig.beat()
    await rig.until_ready_code("ok")
    assert (await rig.ask()).status_code == 201


async def test_silent_parts_are_down(rig: EdgeRig) -> None:
    rig.monotonic_s += 4.5
    assert problem(await rig.ask()) == (503, "gateway_unavailable")
    assert (await rig.http.get("/healthz")).json() == {"status": "ok"}
    assert (await rig.http.get("/readyz")).status_code == 503


async def test_a_mistake_of_ours_is_a_problem_too(
    rig: EdgeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr("talkbutton.edge.sessions.request_grant", fail)
    answer = await rig.ask()
    assert problem(answer) == (500, "internal")
    assert "secret" not in answer.text
    assert answer.headers["access-control-allow-origin"] == ORIGIN


async def test_turns_is_offered_with_a_certificate_only(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(
        update={
            "turn": TurnSettings(tls_certificate="cert.pem", tls_key="key.pem"),
            "network": NetworkSettings(announced_address="2001:db8::9"),
        }
    )
    async with running_edge(tmp_path, settings=settings) as rig:
        servers = (await rig.ask()).json()["ice_servers"]
    assert servers[0]["urls"] == [
        "turn:[2001:db8::9]:3478?transport=udp",
        "turn:[2001:db8::9]:3478?transport=tcp",
        "turns:[2001:db8::9]:5349?transport=tcp",
    ]


def test_browsers_are_offered_the_other_addresses_over_tcp_and_tls() -> None:
    turn = TurnSettings(
        listen_address="203.0.113.4",
        also_listen=("203.0.113.11:443", "[2001:db8::11]:443"),
        tls_certificate="c.pem",
        tls_key="k.pem",
    )
    [server] = mint_ice_servers(
        SETTINGS.model_copy(update={"turn": turn}),
        secret="s" * 32,
        call_id="0" * 32,
        media_address="198.51.100.7",
        now_unix=1_000,
    )
    assert server.urls[3:] == [
        "turn:203.0.113.11:443?transport=tcp",
        "turns:203.0.113.11:443?transport=tcp",
        "turn:[2001:db8::11]:443?transport=tcp",
        "turns:[2001:db8::11]:443?transport=tcp",
    ]


def test_turn_may_have_an_address_of_its_own() -> None:
    settings = SETTINGS.model_copy(update={"turn": TurnSettings(listen_address="203.0.113.4")})
    assert turn_host(settings, "198.51.100.7") == "203.0.113.4"


def test_turn_is_on_loopback_while_the_edge_is() -> None:
    assert turn_host(Settings(version=1), "198.51.100.7") == "127.0.0.1"


async def test_every_answer_carries_security_headers(rig: EdgeRig) -> None:
    for path in ("/healthz", "/v1/sessions", "/nowhere"):
        headers = (await rig.http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
        assert headers["permissions-policy"].startswith("microphone=(self)")
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "wss://talk.example" in headers["content-security-policy"]
        assert "strict-transport-security" in headers
        assert "server" not in headers


async def test_the_record_of_a_session_is_json(rig: EdgeRig) -> None:
    call_id = (await rig.ask()).json()["call_id"]
    events = await rig.record(call_id, until="session.admitted")
    assert json.loads(json.dumps(events))
