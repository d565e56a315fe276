"""Attacks on the session API from pages that may not use it.

Source: RFC 6454 (origin), WHATWG Fetch (CORS protocol).
"""

from collections.abc import Sequence
from functools import partial
from urllib.parse import urlsplit

from talkbutton.operate.doctor.edge_answers import FORBIDDEN, TOO_MANY, UPGRADE_HINT, busy
from talkbutton.operate.doctor.probe import Outcome, Probe, judge
from talkbutton.operate.doctor.visitor import ATTACKER, OddVisitor

__all__ = ["lookalikes", "origin_probes"]

_ORIGINS_HINT = "Name exact origins in sites.*.allowed_origins."


def origin_probes(visitor: OddVisitor) -> list[Probe]:
    """Return the attacks from other pages."""
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
            f"A session for another website: Origin {ATTACKER}.",
            "403",
            _ORIGINS_HINT,
            partial(_origins_refused, visitor, [ATTACKER]),
        ),
        Probe(
            "sessions.origin-lookalike",
            "sessions",
            "Sessions for pages whose origin begins or ends like an allowed one, has another "
            "scheme, or stands beside one.",
            "403 to each",
            _ORIGINS_HINT,
            partial(_origins_refused, visitor, lookalikes(visitor.origin)),
        ),
        Probe(
            "sessions.cors",
            "sessions",
            "Reading the edge's answers from another website, with the visitor's cookies.",
            "no cookies are set or allowed, and nothing outside the API may be read",
            UPGRADE_HINT,
            partial(_cors, visitor),
        ),
    ]


def lookalikes(origin: str) -> list[str]:
    """Return origins that careless comparisons take for ``origin``."""
    parts = urlsplit(origin)
    scheme, host, port = parts.scheme, parts.hostname or "", f":{parts.port}" if parts.port else ""
    other_scheme = "http" if scheme == "https" else "https"
    return [
        f"{scheme}://{host}.attacker.example{port}",
        f"{scheme}://attacker-{host}{port}",
        f"{other_scheme}://{host}{port}",
        f"{ATTACKER}, {origin}",
    ]


async def _origins_refused(visitor: OddVisitor, origins: Sequence[str | None]) -> Outcome:
    broken = []
    for origin in origins:
        is_foreign = origin == ATTACKER
        answer = await (visitor.ask_foreign() if is_foreign else visitor.ask_session(origin))
        if answer.status == TOO_MANY:
            return busy(answer)
        if answer.status != FORBIDDEN or b'"token"' in answer.body:
            broken.append(f"Origin {origin}: {answer.status}")
    held = "403" if len(origins) == 1 else f"403 to all {len(origins)}"
    return judge(held, broken, tried=len(origins))


async def _cors(visitor: OddVisitor) -> Outcome:
    refused = await visitor.ask_foreign()
    preflight = await visitor.ask_session(
        ATTACKER, method="OPTIONS", headers={"Access-Control-Request-Method": "POST"}, body=b""
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
