"""Whether the edge serves, and whether a call could be started now."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from talkbutton.edge.context import Context
from talkbutton.edge.problem import Problem, refused_response
from talkbutton.errors import ConnectionLost
from talkbutton.rules.admission import first_missing_part, refuse

__all__ = ["Status", "router"]

router = APIRouter(tags=["status"])


class Status(BaseModel):
    """All is well."""

    status: str = "ok"
    """Always ``ok``; anything else is a problem."""


@router.get("/healthz")
async def healthz() -> Status:
    """Say that the edge serves."""
    return Status()


@router.get(
    "/readyz",
    response_model=Status,
    responses={503: {"model": Problem, "description": "A call could not be started now."}},
)
async def readyz(context: Context) -> Status | JSONResponse:
    """Say whether a call could be started now."""
    presence = context.presence
    missing = first_missing_part(presence.liveness, now=presence.now)
    if missing is None:
        try:
            await context.ledger.weigh("calls:all", now_unix=context.wall_clock())
        except ConnectionLost:
            missing = refuse("limits_unavailable")
    return Status() if missing is None else refused_response(missing)
