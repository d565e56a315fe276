"""Attacks on the edge by the form of a request, and a look at what protects its page."""

import json
from collections.abc import Coroutine
from functools import partial

from talkbutton.operate.doctor.edge_answers import CREATED, TOO_MANY, UPGRADE_HINT, busy
from talkbutton.operate.doctor.http import HttpAnswer
from talkbutton.operate.doctor.probe import Outcome, Probe, judge
from talkbutton.operate.doctor.visitor import OddVisitor

__all__ = ["request_probes"]

_SUCCESS = range(200, 400)
_BODY_TOO_LONG_BYTES = 70_000


def request_probes(visitor: OddVisitor) -> list[Probe]:
    """Return the attacks by the form of a request."""
    return [
        Probe(
            "sessions.content-type",
            "sessions",
            "A session by a plain form post, which browsers send without asking (CSRF).",
            "no session",
            UPGRADE_HINT,
            partial(_content_type, visitor),
        ),
        Probe(
            "sessions.body-huge",
            "sessions",
            f"A body of {_BODY_TOO_LONG_BYTES:,} bytes, and a terabyte that is only announced.",
            "413 or another refusal to each, without a session",
            UPGRADE_HINT,
            partial(_huge_bodies, visitor),
        ),
        Probe(
            "sessions.files",
            "sessions",
            "Paths that lead out of the website: the settings, the secrets, the journal.",
            "nothing but refusals",
            "Serve the edge as `talkbutton up` starts it; check the reverse proxy's own files.",
            partial(_files_unreachable, visitor),
        ),
        Probe(
            "sessions.headers",
            "sessions",
            "What protects the page in the browser: CSP, frames, sniffing, microphone, referrer.",
            "each header is there, and none names a version",
            "If a reverse proxy stands before the edge, let it pass the edge's headers on.",
            partial(_headers, visitor),
        ),
    ]


async def _content_type(visitor: OddVisitor) -> Outcome:
    answer = await visitor.ask_session(visitor.origin, headers={"Content-Type": "text/plain"})
    if answer.status == TOO_MANY:
        return busy(answer)
    is_given = answer.status == CREATED
    return judge(f"{answer.status}", ["a session was given"] if is_given else [], tried=1)


async def _huge_bodies(visitor: OddVisitor) -> Outcome:
    announced = {"Content-Length": str(10**12)}
    long = json.dumps({"site": "x" * _BODY_TOO_LONG_BYTES}).encode()
    answers = {
        "sent": await _status_of(visitor.ask_session(visitor.origin, body=long)),
        "announced": await _status_of(visitor.ask_session(visitor.origin, headers=announced)),
    }
    broken = [f"{what}: {status}" for what, status in answers.items() if status in _SUCCESS]
    said = ", ".join(f"{what} {status or 'cut off'}" for what, status in answers.items())
    return judge(said, broken, tried=len(answers))


async def _status_of(asked: Coroutine[None, None, HttpAnswer]) -> int | None:
    """Return the status; None where the edge cut the connection instead, which refuses too."""
    try:
        return (await asked).status
    except (ConnectionResetError, BrokenPipeError, EOFError):
        return None


_OUTSIDE = (
    "/../talkbutton.secrets.toml",
    "/%2e%2e/talkbutton.secrets.toml",
    "/..%2f..%2ftalkbutton.secrets.toml",
    "/.talkbutton/run/edge/secrets.toml",
    "/talkbutton.toml",
    "/.git/config",
    "//etc/passwd",
)


async def _files_unreachable(visitor: OddVisitor) -> Outcome:
    broken = []
    for path in _OUTSIDE:
        answer = await visitor.get(path)
        broken += [f"{path}: {answer.status}"] if answer.status < 400 else []
    return judge(f"refused all {len(_OUTSIDE)}", broken, tried=len(_OUTSIDE))


async def _headers(visitor: OddVisitor) -> Outcome:
    page = await visitor.get("/")
    wanted = {
        "content-security-policy": "default-src",
        "permissions-policy": "microphone",
        "referrer-policy": "",
        "x-content-type-options": "nosniff",
    }
    if visitor.origin.startswith("https:") and visitor.is_https:
        wanted["strict-transport-security"] = "max-age"
    broken = [
        f"no {name}" for name, text in wanted.items() if text not in page.headers.get(name, "-")
    ]
    policy = page.headers.get("content-security-policy", "")
    broken += [] if "frame-ancestors" in policy else ["the policy has no frame-ancestors"]
    broken += ["the policy allows inline scripts"] if "unsafe-inline" in policy else []
    broken += [
        f"{name} names a version" for name in ("server", "x-powered-by") if name in page.headers
    ]
    return judge(", ".join(wanted), broken, tried=1)
