"""A stand-in for the edge: the real session API and signaling protocol, played by a script.

It runs in a thread of its own, so that tests of a browser can stay synchronous. Calls are
answered by a page in a second browser tab (``bot_page``): it takes the visitor's offer, plays a
tone, and knows which tone it hears. Nothing of the phone system is involved.
"""

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from talkbutton.edge.middleware import content_security_policy

__all__ = ["CallScript", "FakeEdge", "Refusal", "Report", "serve_fake_edge"]

ROOT = Path(__file__).parents[2]
SITE = ROOT / "src/talkbutton/edge/site"
SCRIPT = ROOT / "web/button/dist/talk-button.js"
BOT_PAGE = Path(__file__).with_name("bot_page.html")

Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A problem document that answers the session request."""

    status: int
    code: str
    detail: str
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class CallScript:
    """How the next call goes."""

    refusal: Refusal | None = None
    """Refuse the session."""

    challenge: Mapping[str, Any] | None = None
    """Answer a session request that brings no solution with this challenge."""

    site: Mapping[str, Any] | None = field(default_factory=lambda: {"state": "open"})
    """What the site says of itself; None for an edge that does not know the question."""

    start_error: tuple[str, str] | None = None
    """Code and detail of the error that answers ``start``."""

    rings: bool = True
    """Say that it rings once the offer is there."""

    answers: bool = True
    """Let the bot page answer the offer."""

    holds_session: bool = False
    """Keep the session request waiting until ``release``."""

    garbage: bool = False
    """Send what is no message of the protocol before each one that is."""


@dataclass(slots=True)
class FakeEdge:
    """The running edge, as a test sees it. Methods may be called from the test's thread."""

    port: int
    script: CallScript = CallScript()
    reports: list[Report] = field(default_factory=list)
    session_requests: list[Mapping[str, Any]] = field(default_factory=list)
    site_requests: int = 0
    closed_calls: int = 0
    page_headers: dict[str, str] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _released: threading.Event = field(default_factory=threading.Event)
    _call: WebSocket | None = None
    _bot: WebSocket | None = None
    _answer: anyio.Event | None = None
    _answer_sdp: str = ""
    _portal: anyio.from_thread.BlockingPortal | None = None

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"

    def play(self, script: CallScript) -> None:
        """Set how calls go from now on, and forget what was reported."""
        self.script = script
        self._released.clear()
        with self._changed:
            self.reports.clear()

    def release(self) -> None:
        """Let a held session request go on."""
        self._released.set()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message to the visitor of the call that is open."""
        assert self._portal is not None
        assert self._call is not None, "no call is open"
        self._portal.call(self._call.send_text, json.dumps(message))

    def send_caption(
        self, speaker: str, utterance_id: str, text: str, *, final: bool = True
    ) -> None:
        """Send a line of what was said."""
        self.send(
            {
                "type": "caption",
                "speaker": speaker,
                "utterance_id": utterance_id,
                "text": text,
                "final": final,
            }
        )

    def end_call(self, cause: str, detail: str) -> None:
        """End the open call as the edge does: say why, then close."""
        assert self._portal is not None
        assert self._call is not None, "no call is open"
        message = json.dumps({"type": "ended", "cause": cause, "detail": detail})
        self._portal.call(_send_and_close, self._call, message)

    def drop_call(self, code: int = 1000) -> None:
        """Close the socket of the open call without a word."""
        assert self._portal is not None
        assert self._call is not None, "no call is open"
        self._portal.call(self._call.close, code)

    def wait_for_report(self, kind: str, *, timeout_s: float = 10, **measures: object) -> Report:
        """Return the first report of a kind with these measures; wait until it is there."""

        def match() -> Report | None:
            for report in self.reports:
                if report.get("type") == kind and measures.items() <= report.items():
                    return report
            return None

        with self._changed:
            found = self._changed.wait_for(match, timeout_s)
        if not found:
            raise AssertionError(f"no {kind} {measures} within {timeout_s} s in {self.reports}")
        return found

    def wait_for_close(self, calls: int = 1, *, timeout_s: float = 10) -> None:
        """Wait until so many calls' sockets are closed."""
        with self._changed:
            closed = self._changed.wait_for(lambda: self.closed_calls >= calls, timeout_s)
        assert closed, "the visitor's socket stayed open"

    def note(self, report: Report) -> None:
        """Keep what the visitor reported."""
        with self._changed:
            self.reports.append(report)
            self._changed.notify_all()


async def _send_and_close(websocket: WebSocket, message: str) -> None:
    await websocket.send_text(message)
    # The visitor's page may be the quicker one to close.
    with suppress(WebSocketDisconnect, RuntimeError):
        await websocket.close()


@contextmanager
def serve_fake_edge(port: int = 0) -> Iterator[FakeEdge]:
    """Serve a fake edge on a port of the loopback address; 0 takes a free one."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()  # so that nobody is refused who comes before the server's thread runs
    edge = FakeEdge(listener.getsockname()[1])
    server = uvicorn.Server(
        uvicorn.Config(
            _create_app(edge),
            log_level="error",
            ws="websockets-sansio",
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield edge
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()


async def _cancel(request: Request) -> Response:
    return Response(status_code=204, headers=_cors(request))


def _create_app(edge: FakeEdge) -> ASGIApp:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> Any:
        async with anyio.from_thread.BlockingPortal() as portal:
            edge._portal = portal
            yield
            edge._portal = None

    async def sessions(request: Request) -> Response:
        return await _answer_session(edge, request)

    async def site(_request: Request) -> Response:
        edge.site_requests += 1
        if edge.script.site is None:
            return JSONResponse({"code": "not_found"}, 404)
        return JSONResponse({"site": "default", **edge.script.site})

    async def signaling(websocket: WebSocket) -> None:
        await _carry_call(edge, websocket)

    async def bot_socket(websocket: WebSocket) -> None:
        await _carry_bot(edge, websocket)

    async def bot_page(_request: Request) -> Response:
        return HTMLResponse(BOT_PAGE.read_text())

    async def script(_request: Request) -> Response:
        return FileResponse(SCRIPT, media_type="text/javascript")

    async def bare_page(request: Request) -> Response:
        return HTMLResponse(_bare_page(dict(request.query_params)))

    app = Starlette(
        lifespan=lifespan,
        routes=[
            Route("/v1/sessions", sessions, methods=["POST", "OPTIONS"]),
            Route("/v1/sites/default", site),
            Route("/v1/sessions/cancel", _cancel, methods=["POST", "OPTIONS"]),
            WebSocketRoute("/v1/signaling", signaling),
            WebSocketRoute("/bot-socket", bot_socket),
            Route("/bot", bot_page),
            Route("/bare", bare_page),
            Route("/talk-button.js", script),
            Mount("/", StaticFiles(directory=SITE, html=True)),
        ],
    )
    return _with_page_headers(app, edge)


def _with_page_headers(app: ASGIApp, edge: FakeEdge) -> ASGIApp:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start" and scope["path"] != "/bot":
                policy = content_security_policy(edge.url)
                headers = {"content-security-policy": policy, **edge.page_headers}
                message["headers"] = [
                    *message["headers"],
                    *((name.encode(), value.encode()) for name, value in headers.items()),
                ]
            await send(message)

        await app(scope, receive, send_with_headers)

    return serve


def _bare_page(query: Mapping[str, str]) -> str:
    script_origin = query.pop("script", "") if isinstance(query, dict) else ""
    attributes = " ".join(f'{name}="{value}"' for name, value in query.items())
    return (
        '<!doctype html><html lang="en"><title>Bare</title>'
        f'<script src="{script_origin}/talk-button.js" defer></script>'
        f"<main><h1>Bare</h1><talk-button {attributes}></talk-button></main>"
    )


async def _answer_session(edge: FakeEdge, request: Request) -> Response:
    cors = _cors(request)
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=cors)
    origin = request.headers.get("origin", "")
    edge.session_requests.append({"origin": origin, **await request.json()})
    if edge.script.holds_session:
        await anyio.to_thread.run_sync(edge._released.wait, 20)
    refusal = edge.script.refusal
    challenge = edge.script.challenge
    if challenge is not None and "challenge" not in edge.session_requests[-1]:
        problem = {"code": "challenge_needed", "detail": "Prove it.", "challenge": challenge}
        return JSONResponse(problem, 401, headers=cors)
    if refusal is not None:
        retry_after_s = refusal.retry_after_s
        return JSONResponse(
            {
                "type": "about:blank",
                "title": "Refused",
                "status": refusal.status,
                "detail": refusal.detail,
                "code": refusal.code,
                **({"retry_after_s": retry_after_s} if retry_after_s is not None else {}),
            },
            refusal.status,
            headers={**cors, "Content-Type": "application/problem+json"},
        )
    return JSONResponse(_grant(edge), 201, headers=cors)


def _cors(request: Request) -> dict[str, str]:
    origin = request.headers.get("origin", "")
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Headers": "Content-Type"}


def _grant(edge: FakeEdge) -> dict[str, Any]:
    return {
        "call_id": "0193-test",
        "token": "test-token",
        "expires_in_s": 60,
        "signaling_url": f"ws://127.0.0.1:{edge.port}/v1/signaling",
        "site": "default",
        "ice_servers": [],
        "ice_transport_policy": "all",
        "codec_preference": ["opus", "PCMU"],
        "limits": {"call_duration_max_s": 600},
    }


async def _carry_call(edge: FakeEdge, websocket: WebSocket) -> None:
    await websocket.accept(subprotocol="talkbutton.v1")
    edge._call = websocket
    try:
        while True:
            report = json.loads(await websocket.receive_text())
            edge.note(report)
            await _react(edge, websocket, report)
            if report["type"] == "bye":
                break
    except WebSocketDisconnect:
        pass
    finally:
        edge._call = None
        if edge._bot is not None:
            await edge._bot.send_text(json.dumps({"type": "hang-up"}))
        with edge._changed:
            edge.closed_calls += 1
            edge._changed.notify_all()


async def _react(edge: FakeEdge, websocket: WebSocket, report: Report) -> None:
    script = edge.script
    if script.garbage:
        for text in ("", "[]", "null", '{"type":"answer"}', '{"type":"caption","text":1}'):
            await websocket.send_text(text)
    match report["type"]:
        case "start" if script.start_error is not None:
            code, detail = script.start_error
            await websocket.send_json({"type": "error", "code": code, "detail": detail})
            await websocket.close(4001)
        case "start":
            assert report["token"] == "test-token", report
            await websocket.send_json({"type": "ready", "call_id": "0193-test"})
        case "offer":
            if script.rings:
                await websocket.send_json({"type": "ringing"})
            if script.answers:
                await _ask_bot(edge, websocket, report)
        case "candidate" if script.answers and edge._bot is not None:
            await edge._bot.send_json(report)


async def _ask_bot(edge: FakeEdge, websocket: WebSocket, offer: Report) -> None:
    assert edge._bot is not None, "open the bot page before a call that is answered"
    edge._answer = anyio.Event()
    await edge._bot.send_json(offer)
    with anyio.fail_after(10):
        await edge._answer.wait()
    await websocket.send_json({"type": "answer", "sdp": edge._answer_sdp})


async def _carry_bot(edge: FakeEdge, websocket: WebSocket) -> None:
    await websocket.accept()
    edge._bot = websocket
    try:
        while True:
            edge._answer_sdp = (await websocket.receive_json())["sdp"]
            if edge._answer is not None:
                edge._answer.set()
    except WebSocketDisconnect:
        edge._bot = None
