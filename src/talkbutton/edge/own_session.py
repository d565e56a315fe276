"""What a visitor may do with the session that it has: go on with its call, or give it back."""

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from talkbutton.edge.context import Context, peer_address
from talkbutton.edge.grants import give_grant_back, grant_keys, refresh_grant
from talkbutton.edge.ice import IceServer, mint_ice_servers
from talkbutton.edge.problem import Problem, refused_response
from talkbutton.rules.admission import Refused, sign_grant

__all__ = ["RefreshAnswer", "SessionToken", "router"]

router = APIRouter(prefix="/v1/sessions", tags=["sessions"])

Origin = Annotated[str | None, Header(description="Set by the browser.")]


class SessionToken(BaseModel):
    """The session, by what it was given."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    token: Annotated[str, Field(max_length=2_048)]
    """The grant: the session's first, or the latest from a refresh."""


class RefreshAnswer(BaseModel):
    """What the browser needs to go on with its call."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    call_id: str
    """The call's id."""

    token: str
    """For the next refresh. Good for nothing else, and only while the call lives."""

    ice_servers: list[IceServer]
    """For ``RTCPeerConnection.setConfiguration``, before an ICE restart."""


_PROBLEMS: dict[int | str, dict[str, object]] = {
    400: {"model": Problem, "description": "The body is not JSON."},
    403: {"model": Problem, "description": "The token is not good for this, or not from here."},
    404: {"model": Problem, "description": "The site is not there any more."},
    408: {"model": Problem, "description": "The body took too long."},
    409: {"model": Problem, "description": "The call is over."},
    413: {"model": Problem, "description": "The body is too long."},
    422: {"model": Problem, "description": "The body has the wrong form."},
    429: {"model": Problem, "description": "The call was refreshed too often."},
    503: {"model": Problem, "description": "Nobody can tell now whether the call lives."},
}


@router.post("/refresh", response_model=RefreshAnswer, responses=_PROBLEMS)
async def refresh_session(
    request: Request,
    response: Response,
    context: Context,
    session: SessionToken,
    origin: Origin = None,
) -> RefreshAnswer | JSONResponse:
    """Get new TURN credentials for the call that goes on."""
    address = peer_address(request)
    verdict = await refresh_grant(context, session.token, origin=origin, address=address)
    if isinstance(verdict, Refused):
        return refused_response(verdict)
    response.headers["Cache-Control"] = "no-store"
    return RefreshAnswer(
        call_id=verdict.call_id,
        token=sign_grant(verdict, key=grant_keys(context)[0]),
        ice_servers=mint_ice_servers(
            context.settings,
            secret=context.secrets.turn_secret.get_secret_value(),
            call_id=verdict.call_id,
            media_address=context.media_address,
            now_unix=context.wall_clock(),
        ),
    )


@router.post("/cancel", status_code=204, responses={k: v for k, v in _PROBLEMS.items() if k != 409})
async def cancel_session(
    request: Request, context: Context, session: SessionToken, origin: Origin = None
) -> Response:
    """Give back a session that will not become a call, so that the next need not wait for it."""
    address = peer_address(request)
    verdict = await give_grant_back(context, session.token, origin=origin, address=address)
    return refused_response(verdict) if isinstance(verdict, Refused) else Response(status_code=204)
