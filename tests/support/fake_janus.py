"""A Janus that speaks the protocol over a real socket and does as a test says.

It behaves like the real one as far as talkbutton can see: the token is checked on each
request, handles end with their session, a session ends with its socket, ``detached`` is sent when
a handle dies, and only a master that lives can be borrowed from.
"""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from talkbutton.protocols.janus import JanusLogin, mint_token

__all__ = ["ANSWER_SDP", "FakeJanus", "fake_janus", "until"]

ANSWER_SDP = "v=0\r\nfake answer\r\n"

_WAIT_MAX_S = 5.0


async def until(what: str, is_true: Callable[[], bool]) -> None:
    """Wait until the condition holds, or fail naming it."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + _WAIT_MAX_S
    while not is_true():
        is_late = loop.time() >= give_up_at  # a machine that stood still gets one more turn
        await asyncio.sleep(0.1 if is_late else 0.002)
        assert is_true() or not is_late, f"{what}: not so after {_WAIT_MAX_S} s"


@dataclass
class FakeJanus:
    """The server's state, and what a test may set.

    Attributes:
        login: What each request must carry, with a token that is still good.
        port: TCP port it listens on.
        mute: Requests (``create``, ``attach``, ``register``, ``call``, ...) that are not answered.
        silent: Requests to the plugin that are acknowledged, with nothing to follow.
        refuse: Requests that are refused, with code and reason.
        is_answering: A call is answered at once.
        requests: Every request that came, in order.
        opaque_ids: The handles that live, by id.
        masters: Handle of each master that lives.
    """

    login: JanusLogin
    port: int = 0
    mute: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    refuse: dict[str, tuple[int, str]] = field(default_factory=dict)
    is_answering: bool = True
    requests: list[dict[str, Any]] = field(default_factory=list)
    opaque_ids: dict[int, str] = field(default_factory=dict)
    masters: dict[int, int] = field(default_factory=dict)
    _sockets: dict[int, ServerConnection] = field(default_factory=dict)  # by handle id
    _sessions: dict[ServerConnection, int] = field(default_factory=dict)
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1000))

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def sessions(self) -> int:
        """How many sessions live."""
        return len(self._sessions)

    def asked(self) -> list[str]:
        """Return the names of the requests that came, keepalives left out."""
        return [name for name in map(_name, self.requests) if name != "keepalive"]

    def handle_of(self, opaque_id: str) -> int:
        """Return the id of the one living handle with this opaque id."""
        [handle_id] = [key for key, value in self.opaque_ids.items() if value == opaque_id]
        return handle_id

    async def say(self, handle_id: int, event: str, *, sdp: str | None = None, **more: Any) -> None:
        """Send an event of the SIP plugin."""
        await self._event(handle_id, {"result": {"event": event, **more}}, sdp=sdp)

    async def notice(self, handle_id: int, janus: str, **fields: Any) -> None:
        """Send one of the core's notices, such as ``webrtcup``."""
        socket = self._sockets[handle_id]
        await socket.send(json.dumps({"janus": janus, "sender": handle_id, **fields}))

    async def raw(self, text: str | bytes) -> None:
        """Send this to every client."""
        for socket in list(self._sessions):
            await socket.send(text)

    async def kill_handle(self, handle_id: int) -> None:
        """End a handle, and with a master those that borrowed from it."""
        await self.notice(handle_id, "detached")
        self._forget(handle_id)

    async def drop(self) -> None:
        """Cut every connection."""
        for socket in list(self._sessions):
            await socket.close(1011)

    async def serve_one(self, socket: ServerConnection) -> None:
        """Answer one client until it goes; its session goes with it."""
        try:
            async for text in socket:
                request = json.loads(text)
                self.requests.append(request)
                await self._answer(socket, request)
        except ConnectionClosed:
            pass
        finally:
            self._sessions.pop(socket, None)
            for handle_id in [key for key, owner in self._sockets.items() if owner is socket]:
                self._forget(handle_id)

    def _knows(self, request: dict[str, Any]) -> bool:
        token = str(request.get("token"))
        expires_unix, _, _ = token.partition(",")
        if not expires_unix.isdigit():
            return False
        signed = mint_token(self.login.key, now_unix=int(expires_unix) - 1, ttl_s=1)
        return token == signed and int(expires_unix) > time.time()

    async def _answer(self, socket: ServerConnection, request: dict[str, Any]) -> None:
        name = _name(request)
        reply = {"transaction": request["transaction"]}
        refusal = self.refuse.get(name)
        if not self._knows(request):
            refusal = (403, "Unauthorized request (wrong or missing secret/token)")
        if name in self.mute:
            return
        if refusal is not None:
            error = {"code": refusal[0], "reason": refusal[1]}
            await socket.send(json.dumps({"janus": "error", "error": error, **reply}))
            return
        match request["janus"]:
            case "create":
                new_id = self._sessions[socket] = next(self._ids)
                await socket.send(json.dumps({"janus": "success", "data": {"id": new_id}, **reply}))
            case "attach":
                new_id = next(self._ids)
                self.opaque_ids[new_id] = request["opaque_id"]
                self._sockets[new_id] = socket
                await socket.send(json.dumps({"janus": "success", "data": {"id": new_id}, **reply}))
            case "detach":
                self._forget(request["handle_id"])
                await socket.send(json.dumps({"janus": "success", **reply}))
            case _:
                await socket.send(json.dumps({"janus": "ack", **reply}))
        if request["janus"] == "message" and name not in self.silent:
            await self._plugin(request["handle_id"], request["body"])

    async def _plugin(self, handle_id: int, body: dict[str, Any]) -> None:
        match body:
            case {"request": "register", "type": "helper"}:
                if body["master_id"] in self.masters:
                    await self.say(handle_id, "registered", master_id=body["master_id"])
                else:
                    failure = {"error_code": 453, "error": "No such master session"}
                    await self._event(handle_id, failure)
            case {"request": "register"}:
                master_id = next(self._ids)
                self.masters[master_id] = handle_id
                await self.say(handle_id, "registered", master_id=master_id)
            case {"request": "call"}:
                await self.say(handle_id, "calling")
                if self.is_answering:
                    await self.say(handle_id, "accepted", sdp=ANSWER_SDP)
            case {"request": "hangup"}:
                await self.say(handle_id, "hangup", code=200, reason="to BYE")

    async def _event(
        self, handle_id: int, content: dict[str, Any], *, sdp: str | None = None
    ) -> None:
        plugindata = {"plugin": "janus.plugin.sip", "data": {"sip": "event", **content}}
        jsep = {} if sdp is None else {"jsep": {"type": "answer", "sdp": sdp}}
        await self.notice(handle_id, "event", plugindata=plugindata, **jsep)

    def _forget(self, handle_id: int) -> None:
        self.opaque_ids.pop(handle_id, None)
        self._sockets.pop(handle_id, None)
        for master_id in [key for key, value in self.masters.items() if value == handle_id]:
            del self.masters[master_id]


@asynccontextmanager
async def fake_janus(login: JanusLogin, *, port: int = 0) -> AsyncIterator[FakeJanus]:
    """Run a Janus on ``port``, or one that is free."""
    janus = FakeJanus(login)
    server: Server
    async with serve(
        janus.serve_one, "127.0.0.1", port, subprotocols=[Subprotocol("janus-protocol")]
    ) as server:
        janus.port = next(iter(server.sockets)).getsockname()[1]
        yield janus


def _name(request: dict[str, Any]) -> str:
    return str(request["body"]["request"] if request["janus"] == "message" else request["janus"])
