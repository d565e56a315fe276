"""The doctor's attacks on the session API: a sound edge holds, an edge without guards does not."""

import asyncio
import base64
import hashlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI, WebSocket
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from support.daemons import live_secrets
from support.edge_rig import SETTINGS, running_edge
from talkbutton.operate.doctor import (
    Broken,
    Held,
    NotTried,
    Outcome,
    Target,
    choose_probes,
    examine,
)
from talkbutton.operate.doctor.sessions import sessions_probes
from talkbutton.operate.stack.places import Places
from talkbutton.settings.model import Settings

pytestmark = [pytest.mark.security, pytest.mark.anyio]

PRIVATE = "127.0.0.1"
CONTROLS = {"sessions.works", "sessions.forwarded-spoofed"}
"""What an edge that believes everybody does well, or what it can't be blamed for from outside."""


def target(folder: Path, port: int, settings: Settings = SETTINGS) -> Target:
    edge = settings.edge.model_copy(update={"port": port})
    here = settings.model_copy(update={"edge": edge})
    return Target(here, live_secrets(), folder / "s", Places(folder / "talkbutton.toml"))


async def attack(one: Target, *only: str) -> dict[str, Outcome]:
    findings = await examine(choose_probes(sessions_probes(one), only))
    return {finding.probe.name: finding.outcome for finding in findings}


async def test_a_sound_edge_refuses_every_attack(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as rig:
        found = await attack(target(tmp_path, rig.port))
        assert rig.gateway.calls == []
    assert {name: one for name, one in found.items() if not isinstance(one, Held)} == {}
    assert len(found) == 17


async def test_an_origin_too_many_is_found(tmp_path: Path) -> None:
    site = SETTINGS.sites["default"]
    loose = site.model_copy(
        update={"allowed_origins": (*site.allowed_origins, "https://attacker.example")}
    )
    settings = SETTINGS.model_copy(update={"sites": {"default": loose}})
    async with running_edge(tmp_path, settings=settings) as rig:
        found = await attack(target(tmp_path, rig.port))
    broken = {name for name, one in found.items() if isinstance(one, Broken)}
    assert broken == {"sessions.origin-foreign"}


async def test_an_edge_that_gives_no_grant_is_not_taken_for_a_safe_one(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as rig:
        rig.gateway.is_ready = False
        await rig.until_ready_code("gateway_unavailable")
        found = await attack(target(tmp_path, rig.port))
    works = found["sessions.works"]
    assert works == NotTried("the edge gives no grant now: 503 gateway_unavailable")
    assert isinstance(found["sessions.grant-replayed"], NotTried)


async def test_an_edge_without_any_guard_fails_every_attack(tmp_path: Path) -> None:
    async with _running(_believer()) as port:
        found = await attack(target(tmp_path, port))
    held = {name: one for name, one in found.items() if not isinstance(one, Broken)}
    assert held.keys() == CONTROLS, held


async def test_an_edge_that_asks_for_work_and_patience_is_given_both(tmp_path: Path) -> None:
    async with _running(_strict()) as port:
        found = await attack(target(tmp_path, port), "sessions.works", "sessions.token-in-url")
    assert found["sessions.works"] == Held("a grant was given and accepted")


def _strict() -> FastAPI:
    """Return an edge that asks the first to wait, the second to work, and gives the third."""
    app = FastAPI(openapi_url=None)
    answers = [
        JSONResponse({"code": "address_sessions"}, 429, {"Retry-After": "1"}),
        JSONResponse({"code": "challenge_needed", "challenge": _WORK}, 401),
    ]

    @app.post("/v1/sessions")
    async def sessions(request: Request) -> Response:
        if answers:
            return answers.pop(0)
        solution = json.loads(base64.b64decode((await request.json())["challenge"]))
        assert solution == {**_WORK_SENT_BACK, "number": _NUMBER}
        return JSONResponse({"token": "t"}, 201)

    app.websocket("/v1/signaling")(_ready)
    return app


def _believer() -> FastAPI:
    """Return an edge that gives everybody everything."""
    app = FastAPI(openapi_url=None)

    @app.post("/v1/sessions")
    async def sessions(_: Request) -> Response:
        answer = {"token": "t", "signaling_url": "ws://x/v1/signaling?token=t"}
        return JSONResponse(answer, 201, _CARELESS)

    @app.api_route("/{path:path}", methods=["GET", "OPTIONS"])
    async def anything(path: str) -> Response:
        return Response(path, 200, _CARELESS)

    app.websocket("/v1/signaling")(_ready)
    return app


async def _ready(websocket: WebSocket) -> None:
    await websocket.accept(subprotocol="talkbutton.v1")
    await websocket.send_json({"type": "ready"})
    await websocket.close(1000)


@asynccontextmanager
async def _running(app: FastAPI) -> AsyncIterator[int]:
    server = uvicorn.Server(
        uvicorn.Config(app, ws="websockets-sansio", log_config=None, lifespan="off")
    )
    with socket.create_server((PRIVATE, 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        async with asyncio.timeout(5):
            while not server.started:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
        try:
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            await serving


_NUMBER = 321
_WORK_SENT_BACK = {
    "algorithm": "SHA-256",
    "challenge": hashlib.sha256(f"salt?{_NUMBER}".encode()).hexdigest(),
    "salt": "salt?",
    "signature": "s",
}
_WORK = {**_WORK_SENT_BACK, "maxnumber": 1_000}
_CARELESS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Credentials": "true",
    "Set-Cookie": "visitor=1",
    "X-Powered-By": "believer/1.0",
}
