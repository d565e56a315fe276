"""Attacks on the public edge: sessions, grants, the signaling socket, the answers' headers.

Few requests, and one real grant in a run: the edge counts this machine's requests as it counts a
visitor's. An answer 429 therefore means that nobody can tell.
"""

import base64
import json
import secrets as random
from collections.abc import Coroutine, Sequence
from functools import partial
from urllib.parse import urlsplit

import jwt

from talkbutton.operate.doctor.http import HttpAnswer
from talkbutton.operate.doctor.probe import Broken, Held, NotTried, Outcome, Probe, judge
from talkbutton.operate.doctor.target import Target
from talkbutton.operate.doctor.visitor import OddVisitor, Visit

__all__ = ["sessions_probes"]

_CREATED, _FORBIDDEN, _TOO_MANY = 201, 403, 429
_SUCCESS = range(200, 400)
_BODY_TOO_LONG_BYTES = 70_000
_ATTACKER = "https://attacker.example"
_ORIGINS_HINT = "Name exact origins in sites.*.allowed_origins."
_UPGRADE_HINT = "The edge itself is at fault: run the newest talkbutton, and report it if it stays."


def sessions_probes(target: Target) -> list[Probe]:
    """Return the attacks on a deployment's edge."""
    visitor = OddVisitor(target)
    return [*_origin_probes(visitor), *_request_probes(visitor), *_grant_probes(visitor)]


def _origin_probes(visitor: OddVisitor) -> list[Probe]:
    return [
        Probe(
            "sessions.origin-absent",
            "sessions",
            "A session for nobody's page: no Origin header.",
            "403",
            _ORIGINS_HINT,
            partial(_origins_refused, visitor, [None]),
        ),
        Probe(
            "sessions.origin-null",
            "sessions",
            "A session for a sandboxed frame or a local file: Origin null.",
            "403",
            _ORIGINS_HINT,
            partial(_origins_refused, visitor, ["null"]),
        ),
        Probe(
            "sessions.origin-foreign",
            "sessions",
            f"A session for another website: Origin {_ATTACKER}.",
            "403",
            _ORIGINS_HINT,
            partial(_origins_refused, visitor, [_ATTACKER]),
        ),
        Probe(
            "sessions.origin-lookalike",
            "sessions",
            "Sessions for pages whose origin looks like an allowed one: longer, shorter, "
            "with another scheme, port, user or alphabet.",
            "403 to each",
            _ORIGINS_HINT,
            partial(_origins_refused, visitor, lookalikes(visitor.origin)),
        ),
        Probe(
            "sessions.cors",
            "sessions",
            "Reading the edge's answers from another website, with the visitor's cookies.",
            "no cookies are set or allowed, and nothing outside the API may be read",
            _UPGRADE_HINT,
            partial(_cors, visitor),
        ),
    ]


def lookalikes(origin: str) -> list[str]:
    """Return origins that careless comparisons take for ``origin``."""
    parts = urlsplit(origin)
    scheme, host, port = parts.scheme, parts.hostname or "", f":{parts.port}" if parts.port else ""
    other_scheme = "http" if scheme == "https" else "https"
    other_port = ":4443" if port != ":4443" else ":4444"
    return [
        f"{scheme}://{host}.attacker.example{port}",
        f"{scheme}://attacker.example.{host}{port}",
        f"{scheme}://attacker-{host}{port}",
        f"{scheme}://{host}{other_port}",
        f"{other_scheme}://{host}{port}",
        f"{scheme}://{host}.{port}",
        f"{scheme}://{host}@attacker.example",
        f"{scheme}://attacker.example/{host}{port}",
        f"{scheme}://attacker.example#{host}{port}",
        f"{scheme}://xn--{host}-9za{port}",
        f"{origin}/",
        f"{origin} {_ATTACKER}",
        f"{_ATTACKER}, {origin}",
    ]


async def _origins_refused(visitor: OddVisitor, origins: Sequence[str | None]) -> Outcome:
    broken = []
    for origin in origins:
        answer = await visitor.ask_session(origin)
        if answer.status == _TOO_MANY:
            return _busy(answer)
        if answer.status != _FORBIDDEN or b'"token"' in answer.body:
            broken.append(f"Origin {origin}: {answer.status}")
    held = "403" if len(origins) == 1 else f"403 to all {len(origins)}"
    return judge(held, broken, tried=len(origins))


async def _cors(visitor: OddVisitor) -> Outcome:
    refused = await visitor.ask_session(_ATTACKER)
    preflight = await visitor.ask_session(
        _ATTACKER, method="OPTIONS", headers={"Access-Control-Request-Method": "POST"}, body=b""
    )
    page = await visitor.get("/")
    broken = []
    for what, answer in (("a refusal", refused), ("a preflight", preflight), ("the page", page)):
        for header in ("set-cookie", "access-control-allow-credentials"):
            broken += [f"{what} has {header}"] if header in answer.headers else []
    if "access-control-allow-origin" in page.headers:
        broken.append("the page may be read by other origins")
    if "vary" not in refused.headers:
        broken.append("a refusal has no Vary: Origin, so caches would mix origins")
    return judge("no cookies; only the API may be read", broken, tried=3)


def _request_probes(visitor: OddVisitor) -> list[Probe]:
    return [
        Probe(
            "sessions.content-type",
            "sessions",
            "A session by a plain form post, which browsers send without asking (CSRF).",
            "no session",
            _UPGRADE_HINT,
            partial(_content_type, visitor),
        ),
        Probe(
            "sessions.body-huge",
            "sessions",
            f"Bodies of {_BODY_TOO_LONG_BYTES:,} bytes, sent, announced and lied about.",
            "413 or another refusal to each, without a session",
            _UPGRADE_HINT,
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
    broken = []
    kinds = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x")
    for kind in kinds:
        answer = await visitor.ask_session(visitor.origin, headers={"Content-Type": kind})
        if answer.status == _TOO_MANY:
            return _busy(answer)
        broken += [f"{kind}: {answer.status}"] if answer.status == _CREATED else []
    return judge("none was given", broken, tried=len(kinds))


async def _huge_bodies(visitor: OddVisitor) -> Outcome:
    long = json.dumps({"site": "x" * _BODY_TOO_LONG_BYTES}).encode()
    answers = {
        "sent": await _status_of(visitor.ask_session(visitor.origin, body=long)),
        "announced": await _status_of(_ask_lying(visitor, str(10**12))),
        "lied about": await _status_of(_ask_lying(visitor, "-1")),
    }
    broken = [f"{what}: {status}" for what, status in answers.items() if status in _SUCCESS]
    said = ", ".join(f"{what} {status or 'cut off'}" for what, status in answers.items())
    return judge(said, broken, tried=len(answers))


def _ask_lying(visitor: OddVisitor, length: str) -> Coroutine[None, None, HttpAnswer]:
    return visitor.ask_session(visitor.origin, headers={"Content-Length": length})


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


def _grant_probes(visitor: OddVisitor) -> list[Probe]:
    probes = [
        Probe(
            "sessions.works",
            "sessions",
            "Control: an honest visitor gets a grant and may begin a call with it.",
            "201, then `ready` on the socket, so that a dead edge does not look safe",
            "See `talkbutton status`; honest visitors are refused.",
            partial(_works, visitor),
        ),
        Probe(
            "sessions.grant-forged",
            "sessions",
            "Sockets without a grant, with garbage, with an unsigned one, with one signed by "
            "another key.",
            "each is closed with a refusal",
            _UPGRADE_HINT,
            partial(_forged_grants, visitor),
        ),
        Probe(
            "sessions.grant-stolen",
            "sessions",
            "A real grant, used on another website.",
            "refused (grant_origin)",
            _UPGRADE_HINT,
            partial(_from_visit, visitor, "stolen"),
        ),
        Probe(
            "sessions.grant-replayed",
            "sessions",
            "A real grant, used a second time.",
            "refused (grant_used)",
            _UPGRADE_HINT,
            partial(_from_visit, visitor, "again"),
        ),
        Probe(
            "sessions.candidate-early",
            "sessions",
            "A candidate before the offer, on a call that has just begun.",
            "the call is refused and the socket closed",
            _UPGRADE_HINT,
            partial(_candidate_early, visitor),
        ),
        Probe(
            "sessions.binary",
            "sessions",
            "Bytes where the socket expects text.",
            "the socket is closed with a refusal",
            _UPGRADE_HINT,
            partial(_binary, visitor),
        ),
        Probe(
            "sessions.token-in-url",
            "sessions",
            "Looking for the grant where logs and histories would keep it.",
            "the signaling URL holds no token, and the answer may not be stored",
            _UPGRADE_HINT,
            partial(_token_in_url, visitor),
        ),
    ]
    if not visitor.is_trusted_proxy:
        probes.append(
            Probe(
                "sessions.forwarded-spoofed",
                "sessions",
                "A visitor who claims another address (X-Forwarded-For, Forwarded, X-Real-IP).",
                "the claim is not believed",
                "Name only your own reverse proxies in edge.trusted_proxies.",
                partial(_spoofed, visitor),
            )
        )
    return probes


async def _works(visitor: OddVisitor) -> Outcome:
    visit = await visitor.visit()
    if visit.begun is None:
        return _no_grant(visit)
    if "ready" in visit.begun.types:
        return Held("a grant was given and accepted")
    return Broken(
        f"the grant was given, then refused: {visit.begun.code or visit.begun.close_code}"
    )


async def _forged_grants(visitor: OddVisitor) -> Outcome:
    claims = {"site": visitor.site_name, "origin": visitor.origin, "exp": 4_000_000_000}
    forged: dict[str, str | None] = {
        "none": None,
        "garbage": "not.a.grant",
        "unsigned": _unsigned(claims),
        "signed by another": jwt.encode(claims, random.token_hex(32), algorithm="HS256"),
    }
    broken = []
    for what, token in forged.items():
        heard = await visitor.signal(visitor.origin, {"type": "start", "token": token})
        broken += [f"{what}: ready"] if "ready" in heard.types else []
    return judge(f"refused all {len(forged)}", broken, tried=len(forged))


def _unsigned(claims: dict[str, object]) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims)]
    encoded = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts]
    return f"{'.'.join(encoded)}."


async def _from_visit(visitor: OddVisitor, what: str) -> Outcome:
    visit = await visitor.visit()
    heard = {"stolen": visit.stolen, "again": visit.again}[what]
    if heard is None:
        return _no_grant(visit)
    if what == "again" and (visit.begun is None or "ready" not in visit.begun.types):
        return NotTried("the grant was not accepted the first time")
    broken = ["it was accepted"] if "ready" in heard.types else []
    return judge(heard.code or f"closed with {heard.close_code}", broken, tried=1)


async def _candidate_early(visitor: OddVisitor) -> Outcome:
    visit = await visitor.visit()
    if visit.begun is None or "ready" not in visit.begun.types:
        return _no_grant(visit)
    heard = visit.begun
    is_refused = heard.code not in {None, "timeout"}
    held = f"{heard.code}, closed with {heard.close_code}"
    return judge(held, [] if is_refused else ["it was not refused"], tried=1)


async def _binary(visitor: OddVisitor) -> Outcome:
    heard = await visitor.signal(visitor.origin, b"\x00\xff\x00")
    is_refused = heard.code is not None or heard.close_code >= 1002
    held = heard.code or f"closed with {heard.close_code}"
    return judge(held, [] if is_refused else ["it was not refused"], tried=1)


async def _token_in_url(visitor: OddVisitor) -> Outcome:
    visit = await visitor.visit()
    if visit.token is None:
        return _no_grant(visit)
    url = str(json.loads(visit.answer.body).get("signaling_url"))
    broken = ["the URL holds the grant"] if visit.token in url or "?" in url else []
    if "no-store" not in visit.answer.headers.get("cache-control", ""):
        broken.append("the answer may be stored in caches")
    if visit.answer.headers.get("access-control-allow-origin") != visitor.origin:
        broken.append("the answer may be read by other origins than the one that asked")
    return judge(f"{url}, no-store, for {visitor.origin} only", broken, tried=1)


async def _spoofed(visitor: OddVisitor) -> Outcome:
    """A grant is bound to the asker's network: one given to a forged address would not be good."""
    visit = await visitor.visit()
    if visit.begun is None:
        return _no_grant(visit)
    if visit.begun.code == "grant_address":
        return Broken("the grant was bound to the address in the forged header")
    if "ready" not in visit.begun.types:
        return NotTried(f"the grant was refused: {visit.begun.code or visit.begun.close_code}")
    return Held("the grant was bound to the real address")


def _no_grant(visit: Visit) -> Outcome:
    if visit.answer.status == _TOO_MANY:
        return _busy(visit.answer)
    return NotTried(f"the edge gives no grant now: {visit.answer.status} {_code(visit.answer)}")


def _busy(answer: HttpAnswer) -> NotTried:
    after = answer.headers.get("retry-after", "60")
    return NotTried(f"the edge answers 429 {_code(answer)}; try again in {after} s")


def _code(answer: HttpAnswer) -> str:
    try:
        problem = json.loads(answer.body)
    except ValueError:
        return ""
    return str(problem.get("code", "")) if isinstance(problem, dict) else ""
