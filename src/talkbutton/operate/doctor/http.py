"""One HTTP request on a connection of its own, written by hand: attacks want odd headers.

Source: RFC 9112.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from talkbutton.errors import ProtocolError

__all__ = ["HttpAnswer", "ask_http", "unchecked_tls"]

_HEAD_MAX_BYTES = 32_768
_BODY_MAX_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What a server answered.

    Attributes:
        status: Status code.
        headers: By name in small letters; several of one name are joined by a comma.
        body: At most 256 KiB of the body, as it came.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


async def ask_http(
    address: str,
    port: int,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    tls: ssl.SSLContext | None = None,
) -> HttpAnswer:
    """Send one request and return the answer.

    A ``Content-Length`` among the headers is sent as it is, true or not.

    Raises:
        OSError: If the server cannot be reached.
        EOFError: If it closes before its answer is whole.
        ProtocolError: If the answer is not HTTP/1.1.
    """
    host = f"[{address}]" if ":" in address else address
    sent = {"Host": f"{host}:{port}", "Connection": "close", **(headers or {})}
    if body or method == "POST":
        sent = {"Content-Length": str(len(body)), **sent}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {text}" for name, text in sent.items())]
    reader, writer = await asyncio.open_connection(address, port, ssl=tls, limit=_HEAD_MAX_BYTES)
    try:
        writer.write("".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1") + body)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise ProtocolError("the head of an HTTP answer is too long") from None
        content = await _read_some(reader)
    finally:
        writer.close()
    return _parse(head.decode("latin-1"), content)


def unchecked_tls() -> ssl.SSLContext:
    """Return TLS that takes any certificate: the address is our own, the name may be any."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _read_some(reader: asyncio.StreamReader) -> bytes:
    content = b""
    while len(content) < _BODY_MAX_BYTES:
        piece = await reader.read(65_536)
        if not piece:
            break
        content += piece
    return content


def _parse(head: str, body: bytes) -> HttpAnswer:
    first, *lines = head.rstrip("\r\n").split("\r\n")
    words = first.split(" ", 2)
    if not first.startswith("HTTP/1.") or len(words) < 2 or not words[1].isdecimal():
        raise ProtocolError("a server's answer is not HTTP/1.1")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, text = line.partition(":")
        name = name.strip().lower()
        headers[name] = f"{headers[name]}, {text.strip()}" if name in headers else text.strip()
    return HttpAnswer(int(words[1]), headers, body)
