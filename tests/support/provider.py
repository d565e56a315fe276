"""A server that speaks the verification protocol of Turnstile, hCaptcha and reCAPTCHA.

Tokens are good once, as with the real ones. What it answers otherwise is the test's word.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

__all__ = ["PROVIDER_SECRET", "Provider", "running_provider"]

PROVIDER_SECRET = "0x" + "p" * 33


@dataclass
class Provider:
    """The running server.

    Attributes:
        url: Where tokens are verified.
        good: Answers to tokens that are good.
        codes: What a token is told the second time, or one that never was good.
        raw: Sent instead of an answer.
        is_silent: Take the question and say nothing.
        asked: The forms that came.
    """

    url: str = ""
    good: dict[str, dict[str, Any]] = field(default_factory=dict)
    duplicate_code: str = "timeout-or-duplicate"
    raw: bytes | None = None
    is_silent: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)
    asked_once: asyncio.Event = field(default_factory=asyncio.Event)
    _seen: set[str] = field(default_factory=set)

    def answer(self, form: dict[str, str]) -> bytes:
        """Return the HTTP answer to one form."""
        self.asked.append(form)
        self.asked_once.set()
        if self.raw is not None:
            return self.raw
        return _http(json.dumps(self._judge(form)).encode())

    def _judge(self, form: dict[str, str]) -> dict[str, Any]:
        token = form.get("response", "")
        if form.get("secret") != PROVIDER_SECRET:
            return {"success": False, "error-codes": ["invalid-input-secret"]}
        if token in self._seen:
            return {"success": False, "error-codes": [self.duplicate_code]}
        if token not in self.good:
            return {"success": False, "error-codes": ["invalid-input-response"]}
        self._seen.add(token)
        challenged_at = "2027-01-15T08:00:00Z"
        return {"success": True, "challenge_ts": challenged_at, "error-codes": []} | self.good[
            token
        ]


def _http(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + body


@asynccontextmanager
async def running_provider() -> AsyncIterator[Provider]:
    """Run one on a free port of the loopback address."""
    provider = Provider()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.split("content-length:")[1].split("\r\n")[0])
            form = parse_qs((await reader.readexactly(length)).decode())
            answer = provider.answer({name: texts[0] for name, texts in form.items()})
            if provider.is_silent:
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        provider.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/siteverify"
        yield provider
