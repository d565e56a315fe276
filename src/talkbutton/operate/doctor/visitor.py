"""A visitor of the edge who does odd things: asks for sessions, opens signaling sockets."""

import asyncio
import json
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

import websockets.asyncio.client
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Origin, Subprotocol

from talkbutton.errors import ConnectionLost
from talkbutton.operate.doctor.http import HttpAnswer, ask_http, unchecked_tls
from talkbutton.operate.doctor.proof import solve
from talkbutton.operate.doctor.target import Target
from talkbutton.protocols.signaling import SUBPROTOCOL

__all__ = ["ATTACKER", "Heard", "OddVisitor", "Visit"]

ATTACKER = "https://attacker.example"
"""A website that no owner allows."""

_PATIENCE_S = 10
"""Longest wait that a 429 may ask for; longer ones are the limits of a visitor, not of a moment."""

_CREATED, _UNAUTHORIZED, _TOO_MANY = 201, 401, 429
_BROWSER_LIKE = {
    "User-Agent": "Mozilla/5.0 (compatible; talkbutton doctor)",
    "Accept-Language": "en",
}
"""So that the edge is no more suspicious of us than of a visitor."""

_SPOOFED_ADDRESS = "203.0.113.77"
_SESSIONS, _SIGNALING = "/v1/sessions", "/v1/signaling"
_MESSAGE_MAX_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Heard:
    """What the edge said on a signaling socket until it closed.

    Attributes:
        messages: Its messages.
        close_code: Code of its close frame; for a socket that it did not open, the HTTP status.
        retry_after_s: Seconds that a 429 wants us to wait.
    """

    messages: tuple[dict[str, Any], ...]
    close_code: int
    retry_after_s: int = 0

    @property
    def types(self) -> list[str]:
        """Type of each message."""
        return [str(message.get("type")) for message in self.messages]

    @property
    def code(self) -> str | None:
        """Why it refused; None if it did not."""
        errors = [message for message in self.messages if message.get("type") == "error"]
        return str(errors[-1].get("code")) if errors else None


@dataclass(frozen=True, slots=True)
class Visit:
    """The one grant of a run, and the one call that it began.

    Attributes:
        answer: The edge's answer to an honest visitor who also forges where she comes from.
        token: The grant; None where there is none.
        stolen: What the edge says to a thief of the grant, on a page of another origin.
        begun: What it says to the visitor herself, who sends a candidate before her offer.
        again: What it says when the grant is shown once more.
    """

    answer: HttpAnswer
    token: str | None
    stolen: Heard | None = None
    begun: Heard | None = None
    again: Heard | None = None


class OddVisitor:
    """Visits one deployment. The one real grant is asked for once, by whoever needs it first.

    Args:
        target: The deployment.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._visit: Visit | None = None
        self._foreign: HttpAnswer | None = None
        settings = target.settings
        self.site_name, self.site = next(iter(settings.sites.items()))
        self.origin = self.site.allowed_origins[0].replace("*", "www")

    @property
    def is_https(self) -> bool:
        """Whether the edge itself speaks TLS."""
        return self._target.settings.edge.tls_certificate is not None

    @property
    def is_trusted_proxy(self) -> bool:
        """Whether the settings let this machine say for whom it asks."""
        ours = ip_address(self._target.edge_address)
        proxies = self._target.settings.edge.trusted_proxies
        return any(ours in ip_network(proxy, strict=False) for proxy in proxies)

    async def get(self, path: str) -> HttpAnswer:
        """Ask for a page."""
        return await self._ask("GET", path, {}, b"")

    async def ask_foreign(self) -> HttpAnswer:
        """Ask for a session on another website; asked once in a run."""
        if self._foreign is None:
            self._foreign = await self.ask_session(ATTACKER)
        return self._foreign

    async def ask_session(
        self,
        origin: str | None,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        method: str = "POST",
    ) -> HttpAnswer:
        """Ask for a session as a page of ``origin`` would."""
        sent = {**_BROWSER_LIKE, "Content-Type": "application/json", **(headers or {})}
        if origin is not None:
            sent["Origin"] = origin
        return await self._ask(method, _SESSIONS, sent, self.question() if body is None else body)

    def question(self, **more: object) -> bytes:
        """Return an honest request's body."""
        asked: dict[str, object] = {"site": self.site_name, **more}
        if self.site.consent.text is not None:
            asked["consent"] = True
        return json.dumps(asked).encode()

    async def signal(self, origin: str | None, *sent: Mapping[str, object] | bytes) -> Heard:
        """Open a signaling socket, send, and listen until the edge closes."""
        while True:
            heard = await self._signal_once(origin, sent)
            if heard.close_code != _TOO_MANY or heard.retry_after_s > _PATIENCE_S:
                return heard
            await asyncio.sleep(heard.retry_after_s)

    async def _signal_once(
        self, origin: str | None, sent: Sequence[Mapping[str, object] | bytes]
    ) -> Heard:
        heard: list[dict[str, Any]] = []
        try:
            async with websockets.asyncio.client.connect(
                self._url,
                origin=None if origin is None else Origin(origin),
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                ssl=self._tls(),
                proxy=None,
                compression=None,
                max_size=_MESSAGE_MAX_BYTES,
            ) as socket:
                with suppress(ConnectionClosed):  # what it said before is still to be read
                    for message in sent:
                        frame = message if isinstance(message, bytes) else json.dumps(message)
                        await socket.send(frame)
                while True:
                    heard.append(_as_message(await socket.recv()))
        except ConnectionClosed as closed:
            return Heard(tuple(heard), closed.rcvd.code if closed.rcvd else 1006)
        except InvalidStatus as refused:
            return Heard((), refused.response.status_code, _retry_after_s(refused.response.headers))
        except WebSocketException as exc:
            raise ConnectionLost(f"the signaling socket failed: {exc}") from exc

    async def visit(self) -> Visit:
        """Return the one visit with a real grant; it is made once in a run."""
        if self._visit is None:
            self._visit = await self._make_visit()
        return self._visit

    async def _make_visit(self) -> Visit:
        spoofed = {
            "X-Forwarded-For": _SPOOFED_ADDRESS,
            "Forwarded": f"for={_SPOOFED_ADDRESS}",
            "X-Real-IP": _SPOOFED_ADDRESS,
        }
        headers = {} if self.is_trusted_proxy else spoofed
        answer = await self.ask_session(self.origin, headers=headers)
        if solution := await asyncio.to_thread(_solution, answer):
            body = self.question(challenge=solution)
            answer = await self.ask_session(self.origin, headers=headers, body=body)
        token = _token(answer)
        if token is None:
            return Visit(answer, None)
        start = {"type": "start", "token": token}
        candidate = {"type": "candidate", "candidate": "", "sdpMid": "0", "sdpMLineIndex": 0}
        stolen = await self.signal(ATTACKER, start)
        begun = await self.signal(self.origin, start, candidate)
        again = await self.signal(self.origin, start)
        return Visit(answer, token, stolen, begun, again)

    @property
    def _url(self) -> str:
        address = self._target.edge_address
        host = f"[{address}]" if ":" in address else address
        scheme = "wss" if self.is_https else "ws"
        return f"{scheme}://{host}:{self._target.settings.edge.port}{_SIGNALING}"

    def _tls(self) -> ssl.SSLContext | None:
        return unchecked_tls() if self.is_https else None

    async def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> HttpAnswer:
        address, port = self._target.edge_address, self._target.settings.edge.port
        while True:
            answer = await ask_http(
                address, port, method, path, headers=headers, body=body, tls=self._tls()
            )
            wait_s = _retry_after_s(answer.headers)
            if answer.status != _TOO_MANY or wait_s > _PATIENCE_S:
                return answer
            await asyncio.sleep(wait_s)


def _retry_after_s(headers: Mapping[str, str]) -> int:
    """Return how long a 429 wants us to wait; very long where it does not say."""
    text = headers.get("retry-after", "")
    return max(1, int(text)) if text.isdecimal() and len(text) < 6 else 100_000


def _token(answer: HttpAnswer) -> str | None:
    token = _body(answer).get("token")
    return token if answer.status == _CREATED and isinstance(token, str) else None


def _solution(answer: HttpAnswer) -> str | None:
    """Return the solution of the work that the edge asks for; None if it asks for none."""
    challenge = _body(answer).get("challenge")
    if answer.status != _UNAUTHORIZED or not isinstance(challenge, dict):
        return None
    return solve(challenge)


def _body(answer: HttpAnswer) -> dict[str, Any]:
    try:
        found = json.loads(answer.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _as_message(frame: str | bytes) -> dict[str, Any]:
    try:
        message = json.loads(frame)
    except ValueError:
        message = None
    return message if isinstance(message, dict) else {"type": "not JSON"}
