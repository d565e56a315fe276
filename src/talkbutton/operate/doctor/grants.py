"""Attacks on grants and on the signaling socket, with one real grant in a run."""

import base64
import json
import secrets as random
from functools import partial

import jwt

from talkbutton.operate.doctor.edge_answers import TOO_MANY, UPGRADE_HINT, no_grant
from talkbutton.operate.doctor.probe import Broken, Held, NotTried, Outcome, Probe, judge
from talkbutton.operate.doctor.visitor import Heard, OddVisitor

__all__ = ["grant_probes"]


def grant_probes(visitor: OddVisitor) -> list[Probe]:
    """Return the attacks on grants and sockets."""
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
            "Sockets without a grant, with an unsigned one, with one signed by another key.",
            "each is closed with a refusal",
            UPGRADE_HINT,
            partial(_forged_grants, visitor),
        ),
        Probe(
            "sessions.grant-stolen",
            "sessions",
            "A real grant, used on another website.",
            "refused (grant_origin)",
            UPGRADE_HINT,
            partial(_from_visit, visitor, "stolen"),
        ),
        Probe(
            "sessions.grant-replayed",
            "sessions",
            "A real grant, used a second time.",
            "refused (grant_used)",
            UPGRADE_HINT,
            partial(_from_visit, visitor, "again"),
        ),
        Probe(
            "sessions.candidate-early",
            "sessions",
            "A candidate before the offer, on a call that has just begun.",
            "the call is refused and the socket closed",
            UPGRADE_HINT,
            partial(_candidate_early, visitor),
        ),
        Probe(
            "sessions.binary",
            "sessions",
            "Bytes where the socket expects text.",
            "the socket is closed with a refusal",
            UPGRADE_HINT,
            partial(_binary, visitor),
        ),
        Probe(
            "sessions.token-in-url",
            "sessions",
            "Looking for the grant where logs and histories would keep it.",
            "the signaling URL holds no token, and the answer may not be stored",
            UPGRADE_HINT,
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
        return no_grant(visit)
    if "ready" in visit.begun.types:
        return Held("a grant was given and accepted")
    match _refused(visit.begun):
        case Held(evidence):
            return Broken(f"the grant was given, then refused: {evidence}")
        case outcome:
            return outcome


async def _forged_grants(visitor: OddVisitor) -> Outcome:
    claims = {"site": visitor.site_name, "origin": visitor.origin, "exp": 4_000_000_000}
    forged: dict[str, str | None] = {
        "none": None,
        "unsigned": _unsigned(claims),
        "signed by another": jwt.encode(claims, random.token_hex(32), algorithm="HS256"),
    }
    broken = []
    for what, token in forged.items():
        heard = await visitor.signal(visitor.origin, {"type": "start", "token": token})
        outcome = _refused(heard)
        if isinstance(outcome, NotTried):
            return outcome
        broken += [f"{what} was accepted"] if isinstance(outcome, Broken) else []
    return judge(f"refused all {len(forged)}", broken, tried=len(forged))


def _unsigned(claims: dict[str, object]) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims)]
    encoded = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts]
    return f"{'.'.join(encoded)}."


async def _from_visit(visitor: OddVisitor, what: str) -> Outcome:
    visit = await visitor.visit()
    heard = {"stolen": visit.stolen, "again": visit.again}[what]
    if heard is None:
        return no_grant(visit)
    if what == "again" and (visit.begun is None or "ready" not in visit.begun.types):
        return NotTried("the grant was not accepted the first time")
    return _refused(heard)


def _refused(heard: Heard) -> Outcome:
    """Return whether the edge refused a socket, and not just because it is busy."""
    if "ready" in heard.types:
        return Broken("it was accepted")
    if heard.close_code == TOO_MANY:
        return NotTried(f"the edge answers 429; try again in {heard.retry_after_s} s")
    return Held(heard.code or f"closed with {heard.close_code}")


async def _candidate_early(visitor: OddVisitor) -> Outcome:
    visit = await visitor.visit()
    if visit.begun is None or "ready" not in visit.begun.types:
        return no_grant(visit)
    heard = visit.begun
    is_refused = heard.code not in {None, "timeout"}
    held = f"{heard.code}, closed with {heard.close_code}"
    return judge(held, [] if is_refused else ["it was not refused"], tried=1)


async def _binary(visitor: OddVisitor) -> Outcome:
    return _refused(await visitor.signal(visitor.origin, b"\x00\xff\x00"))


async def _token_in_url(visitor: OddVisitor) -> Outcome:
    visit = await visitor.visit()
    if visit.token is None:
        return no_grant(visit)
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
        return no_grant(visit)
    if visit.begun.code == "grant_address":
        return Broken("the grant was bound to the address in the forged header")
    if "ready" not in visit.begun.types:
        return NotTried(f"the grant was refused: {visit.begun.code or visit.begun.close_code}")
    return Held("the grant was bound to the real address")
