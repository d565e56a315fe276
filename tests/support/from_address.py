"""Visitors who come from whatever address of this machine they like.

All of 127.0.0.0/8 is loopback; of IPv6 that is one address, so a whole site is made local for a
while, which only root can do.
"""

import asyncio
import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Origin, Subprotocol

__all__ = ["V6_SITE", "Answer", "ask", "local_v6_site", "post", "start"]

V6_SITE = "2001:db8:7a1b"
"""A /48 for documentation, thus nobody's."""

_IPV6_FREEBIND = 78  # <linux/in6.h>; not in Python's socket module
_ANSWER_MAX_S = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the edge said to one request."""

    status: int
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def code(self) -> str:
        """The refusal's code, or ``ok``."""
        return str(self.body.get("code", "ok"))


@contextmanager
def local_v6_site() -> Iterator[None]:
    """Make every address of ``V6_SITE`` this machine's own."""
    if not _change_route("replace"):
        pytest.fail("making a network local needs root and iproute2")
    try:
        yield
    finally:
        _change_route("del")


def _change_route(action: str) -> bool:
    program = shutil.which("ip") or "/sbin/ip"
    route = [program, "-6", "route", action, "local", f"{V6_SITE}::/48", "dev", "lo"]
    return subprocess.run(route, check=False).returncode == 0


async def ask(source: str, port: int, *, origin: str = "https://shop.example") -> Answer:
    """Ask for a session."""
    return await post(source, port, "/v1/sessions", {"site": "default"}, origin=origin)


async def post(source: str, port: int, path: str, body: dict[str, Any], *, origin: str) -> Answer:
    """Send one request on a connection of its own."""
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: edge\r\nOrigin: {origin}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    async with asyncio.timeout(_ANSWER_MAX_S):
        reader, writer = await asyncio.open_connection(sock=await _connected(source, port))
        writer.write(head.encode() + content)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    first, _, rest = answer.partition(b"\r\n\r\n")
    status, *lines = first.decode().split("\r\n")
    headers = {name.lower(): text for name, _, text in (line.partition(": ") for line in lines)}
    return Answer(int(status.split()[1]), headers, json.loads(rest or b"{}"))


async def start(
    source: str,
    port: int,
    token: str,
    *,
    origin: str = "https://shop.example",
    together: asyncio.Barrier | None = None,
) -> str:
    """Bring a token to the signaling socket; return ``ready``, or the error's code.

    With ``together`` the socket stays until as many have heard their answer.
    """
    async with (
        asyncio.timeout(_ANSWER_MAX_S),
        connect(
            f"ws://edge:{port}/v1/signaling",
            sock=await _connected(source, port),
            origin=Origin(origin),
            subprotocols=[Subprotocol("talkbutton.v1")],
            compression=None,
            open_timeout=_ANSWER_MAX_S,
        ) as visitor,
    ):
        await visitor.send(json.dumps({"type": "start", "token": token}))
        heard = json.loads(await visitor.recv())
        if together is not None:
            await together.wait()
    return str(heard.get("code", heard["type"]))


async def _connected(source: str, port: int) -> socket.socket:
    is_v6 = ":" in source
    client = socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET)
    client.setblocking(False)
    if is_v6:
        client.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
    client.bind((source, 0))
    target = ("::1" if is_v6 else "127.0.0.1", port)
    await asyncio.get_running_loop().sock_connect(client, target)
    return client
