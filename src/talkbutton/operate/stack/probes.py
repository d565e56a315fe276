"""Asks each part, in its own protocol, whether it can do its work now.

A probe returns None when the part is ready, else the reason why not yet. A part that does not
even answer raises ``OSError`` or ``TimeoutError``.
"""

import asyncio
import base64
import json
import secrets as random
import ssl
import struct
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import websockets.asyncio.client
from websockets.exceptions import WebSocketException

from talkbutton.operate.stack.heartbeats import Heartbeats
from talkbutton.operate.stack.places import Places
from talkbutton.rules.render import ARI_USER
from talkbutton.runtime.aio.janus_link import janus_login
from talkbutton.settings.model import Secrets, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["Probe", "make_probes"]

Probe = Callable[[], Awaitable[str | None]]
"""Returns None, or why the part is not ready yet."""

_STUN_MAGIC = 0x2112A442
_STUN_BINDING_REQUEST = 0x0001
_STUN_BINDING_SUCCESS = 0x0101
_HTTP_OK = 200
_BODY_MAX_BYTES = 65_536


def make_probes(
    settings: Settings, secrets: Secrets, places: Places, heartbeats: Heartbeats
) -> dict[str, Probe]:
    """Return the probe of every part; ``settings`` are those in force."""

    async def coturn() -> str | None:
        address = settings.turn_address(settings.network.media_address)
        return await _probe_stun(address, settings.turn.port)

    async def asterisk() -> str | None:
        return await _probe_asterisk(settings, secrets)

    async def janus() -> str | None:
        return await _probe_janus(settings, secrets)

    async def edge() -> str | None:
        return await _probe_edge(settings)

    async def keeper() -> str | None:
        return heartbeats.missing_from("keeper")

    async def bridge() -> str | None:
        return heartbeats.missing_from("bridge")

    async def turnlog() -> str | None:
        return None if places.journal.exists() else "the journal is not there yet"

    def speech(part: str) -> Probe:
        async def connect() -> str | None:
            return await _probe_socket(places.speech / f"{part}.sock")

        return connect

    probes = {"coturn": coturn, "asterisk": asterisk, "janus": janus}
    workers = ("speech-vad", "speech-transcriber", "speech-voice", "speech-meaning")
    return {
        **probes,
        **{part: speech(part) for part in workers},
        "turnlog": turnlog,
        "keeper": keeper,
        "bridge": bridge,
        "edge": edge,
    }


async def _probe_stun(address: str, port: int) -> str | None:
    """Send a STUN binding request. Source: RFC 8489, section 5."""
    transaction = random.token_bytes(12)
    request = struct.pack("!HHI12s", _STUN_BINDING_REQUEST, 0, _STUN_MAGIC, transaction)
    answer = await _udp_exchange(address, port, request)
    is_answer = len(answer) >= len(request) and answer[4:20] == request[4:20]
    if is_answer and struct.unpack("!H", answer[:2])[0] == _STUN_BINDING_SUCCESS:
        return None
    return "its answer to a STUN binding request is not one"


async def _probe_asterisk(settings: Settings, secrets: Secrets) -> str | None:
    private = settings.network.private_address
    login = f"{ARI_USER}:{secrets.ari_password.get_secret_value()}"
    basic = base64.b64encode(login.encode()).decode()
    status, _ = await _http_get(
        private,
        settings.asterisk.http_port,
        "/ari/bridges",
        f"Authorization: Basic {basic}\r\n",
    )
    if status != _HTTP_OK:
        return f"ARI answers {status}"
    answer = await _udp_exchange(
        private, settings.asterisk.sip_port, _sip_options(private, settings.asterisk.sip_port)
    )
    return None if answer.startswith(b"SIP/2.0 ") else "its answer to SIP OPTIONS is not one"


def _sip_options(address: str, port: int) -> bytes:
    """Return an OPTIONS request. Source: RFC 3261, section 11."""
    tag = random.token_hex(6)
    host = f"[{address}]" if ":" in address else address
    lines = (
        f"OPTIONS sip:ready@{host}:{port} SIP/2.0",
        f"Via: SIP/2.0/UDP {host};rport;branch=z9hG4bK{tag}",
        f"From: <sip:ready@{host}>;tag={tag}",
        f"To: <sip:ready@{host}>",
        f"Call-ID: {tag}",
        "CSeq: 1 OPTIONS",
        "Max-Forwards: 70",
        "Content-Length: 0",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


async def _probe_janus(settings: Settings, secrets: Secrets) -> str | None:
    private, port = settings.network.private_address, settings.janus.api_port
    host = f"[{private}]" if ":" in private else private
    question = {
        "janus": "info",
        "transaction": random.token_hex(6),
        **janus_login(secrets).fields(now_unix=int(time.time())),
    }
    try:
        async with websockets.asyncio.client.connect(
            f"ws://{host}:{port}",
            subprotocols=[websockets.Subprotocol("janus-protocol")],
            proxy=None,
        ) as socket:
            await socket.send(json.dumps(question))
            answer = json.loads(await socket.recv())
    except WebSocketException as exc:
        return f"its WebSocket fails: {exc}"
    match answer:
        case {"janus": "server_info", "plugins": {"janus.plugin.sip": _}}:
            return None
        case {"janus": "server_info"}:
            return "the SIP plugin is not loaded"
        case {"error": {"reason": reason}}:
            return f"it refuses: {reason}"
        case _:
            return "its answer is not one"


async def _probe_edge(settings: Settings) -> str | None:
    listen = settings.edge.listen_address
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen, listen)
    is_https = settings.edge.tls_certificate is not None
    status, body = await _http_get(address, settings.edge.port, "/readyz", is_https=is_https)
    if status == _HTTP_OK:
        return None
    try:
        problem = json.loads(body)
    except ValueError:
        problem = None
    match problem:
        case {"code": code, "detail": detail}:
            return f"/readyz answers {status} {code}: {detail}"
        case _:
            return f"/readyz answers {status}"


async def _probe_socket(path: Path) -> str | None:
    _, writer = await asyncio.open_unix_connection(path)
    writer.close()
    await writer.wait_closed()
    return None


async def _http_get(
    address: str, port: int, path: str, headers: str = "", *, is_https: bool = False
) -> tuple[int, bytes]:
    host = f"[{address}]" if ":" in address else address
    context = _any_certificate() if is_https else None
    reader, writer = await asyncio.open_connection(address, port, ssl=context)
    try:
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n{headers}Connection: close\r\n\r\n"
        )
        writer.write(request.encode())
        head, _, body = (await reader.read(_BODY_MAX_BYTES)).partition(b"\r\n\r\n")
        if not body:
            body = await reader.read(_BODY_MAX_BYTES)
    finally:
        writer.close()
    words = head.split(b" ", 2)
    is_http = head.startswith(b"HTTP/1.") and len(words) > 1 and words[1].isdigit()
    return (int(words[1]) if is_http else 0), body


def _any_certificate() -> ssl.SSLContext:
    """Ask our own edge by its address, whatever name its certificate has."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _udp_exchange(address: str, port: int, request: bytes) -> bytes:
    async with _connected_udp(address, port) as (transport, answer):
        transport.sendto(request)
        return await answer


@asynccontextmanager
async def _connected_udp(
    address: str, port: int
) -> "AsyncIterator[tuple[asyncio.DatagramTransport, asyncio.Future[bytes]]]":
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bytes] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _FirstAnswer(answer), remote_addr=(address, port)
    )
    try:
        yield transport, answer
    finally:
        transport.close()


class _FirstAnswer(asyncio.DatagramProtocol):
    def __init__(self, answer: "asyncio.Future[bytes]") -> None:
        self._answer = answer

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002
        if not self._answer.done():
            self._answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._answer.done():
            self._answer.set_exception(exc)
