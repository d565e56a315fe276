"""How the edge's answers are read: too many requests mean that nobody can tell. Pure."""

import json

from talkbutton.operate.doctor.http import HttpAnswer
from talkbutton.operate.doctor.probe import NotTried, Outcome
from talkbutton.operate.doctor.visitor import Visit

__all__ = ["CREATED", "FORBIDDEN", "TOO_MANY", "UPGRADE_HINT", "busy", "no_grant"]

CREATED, FORBIDDEN, TOO_MANY = 201, 403, 429
UPGRADE_HINT = "The edge itself is at fault: run the newest talkbutton, and report it if it stays."


def no_grant(visit: Visit) -> Outcome:
    """Return that the one real grant of the run was not given."""
    if visit.answer.status == TOO_MANY:
        return busy(visit.answer)
    return NotTried(f"the edge gives no grant now: {visit.answer.status} {_code(visit.answer)}")


def busy(answer: HttpAnswer) -> NotTried:
    """Return that the edge has had enough of us for now."""
    after = answer.headers.get("retry-after", "60")
    return NotTried(f"the edge answers 429 {_code(answer)}; try again in {after} s")


def _code(answer: HttpAnswer) -> str:
    try:
        problem = json.loads(answer.body)
    except ValueError:
        return ""
    return str(problem.get("code", "")) if isinstance(problem, dict) else ""
