"""What holds for every HTTP answer: CORS, security headers, and a bound on what comes in.

Source: WHATWG Fetch (CORS protocol), CSP Level 3, W3C Permissions Policy.
"""

import asyncio
import re
from collections.abc import Mapping
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from talkbutton.edge.problem import problem_response

__all__ = ["AnswerHeaders", "BodyLimit", "content_security_policy", "security_headers"]

BODY_MAX_BYTES = 8_192
BODY_DEADLINE_S = 10.0

_API_PREFIX = "/v1/"
_ORIGIN = re.compile(r"null|[a-z][a-z0-9+.-]{0,30}://[A-Za-z0-9.\[\]:_-]{1,255}")
_PREFLIGHT_MAX_AGE_S = 600
_GONE = "the handler is closed"


def content_security_policy(public_url: str) -> str:
    """Return the policy of the demo page: its own files, and calls to the edge."""
    signaling = f"ws{public_url.removeprefix('http')}"
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            "media-src 'self' blob:",
            f"connect-src 'self' {public_url} {signaling}",
            "manifest-src 'self'",
            "worker-src blob:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def security_headers(public_url: str) -> dict[str, str]:
    """Return the headers that every answer carries unless it has its own."""
    headers = {
        "Content-Security-Policy": content_security_policy(public_url),
        "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), display-capture=()",
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if public_url.startswith("https:"):
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers


class AnswerHeaders:
    """Adds CORS to the API and security headers to everything, errors included.

    Every origin may read the API's answers: a page that is refused should be able to say why, and
    only an origin on the site's list is ever answered with a grant. Cookies are never involved.

    Args:
        app: The application.
        headers: Headers that every answer carries unless it has its own.
    """

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self._app = app
        self._headers = dict(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass a WebSocket on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        is_api = scope["path"].startswith(_API_PREFIX)
        cors = _cors_headers(asked.get("origin")) if is_api else {}

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, text in (self._headers | cors).items():
                    headers.setdefault(name, text)
            try:
                await send(message)
            except RuntimeError as exc:
                if _GONE not in str(exc):  # uvloop's words; its transport tells us a moment later
                    raise

        is_preflight = scope["method"] == "OPTIONS" and "access-control-request-method" in asked
        answers = _preflight if is_api and is_preflight else self._app
        await answers(scope, receive, send_with_headers)


_preflight = Response(
    status_code=HTTPStatus.NO_CONTENT,
    headers={
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "content-type",
        "Access-Control-Max-Age": str(_PREFLIGHT_MAX_AGE_S),
    },
)


def _cors_headers(origin: str | None) -> dict[str, str]:
    headers = {"Vary": "Origin"}
    if origin is not None and _ORIGIN.fullmatch(origin) is not None:
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Expose-Headers"] = "Retry-After"
    return headers


class BodyLimit:
    """Reads a request's body before the application does, up to a bound in size and time.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass a WebSocket on."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(BODY_DEADLINE_S):
                body = await _read_body(scope, receive)
        except TimeoutError:
            detail = "The request took too long."
            await problem_response(408, "request_invalid", detail)(scope, receive, send)
            return
        if body is None:
            detail = f"A request has {BODY_MAX_BYTES} bytes or less."
            await problem_response(413, "request_invalid", detail)(scope, receive, send)
            return
        unread = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return unread.pop() if unread else await receive()

        await self._app(scope, replay, send)


async def _read_body(scope: Scope, receive: Receive) -> bytes | None:
    declared = Headers(scope=scope).get("content-length", "0")
    if not declared.isdecimal() or len(declared) > 12 or int(declared) > BODY_MAX_BYTES:
        return None
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if len(body) > BODY_MAX_BYTES:
            return None
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return body
