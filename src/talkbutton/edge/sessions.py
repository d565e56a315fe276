"""``POST /v1/sessions``: asks for a call, answers with what the button needs to place it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from talkbutton.edge.challenge import note_refusal, pass_challenge
from talkbutton.edge.context import Context, EdgeContext, peer_address
from talkbutton.edge.grants import grant_keys, request_grant
from talkbutton.edge.ice import IceServer, mint_ice_servers
from talkbutton.edge.problem import Problem, refused_response
from talkbutton.rules.admission import Admitted, Refused, sign_grant
from talkbutton.rules.admission.challenge_provider import TOKEN_MAX_CHARACTERS

__all__ = ["CallLimits", "SessionAnswer", "SessionQuestion", "router", "signaling_url"]

SIGNALING_PATH = "/v1/signaling"

router = APIRouter(prefix="/v1", tags=["sessions"])


class SessionQuestion(BaseModel):
    """Which call is wanted."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    site: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")] = "default"
    """The site whose button was pressed."""

    challenge: Annotated[str, Field(min_length=1, max_length=TOKEN_MAX_CHARACTERS)] | None = None
    """The solution of the challenge that an earlier answer asked for."""

    consent: bool = False
    """Whether the visitor agreed to the site's consent text (``GET /v1/sites/{site}``)."""


class CallLimits(BaseModel):
    """What the call may not exceed."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    call_duration_max_s: int
    """The call ends after so many seconds."""


class SessionAnswer(BaseModel):
    """Permission to start one call, and what the browser needs for it."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    call_id: str
    """The call's id, to be quoted when something goes wrong."""

    token: str
    """The grant. Good for one call, from this origin and network."""

    expires_in_s: int
    """Seconds within which the call must be started."""

    signaling_url: str
    """WebSocket to place the call on."""

    site: str
    """The site."""

    ice_servers: list[IceServer]
    """For ``RTCConfiguration.iceServers``."""

    ice_transport_policy: Literal["all", "relay"]
    """For ``RTCConfiguration.iceTransportPolicy``."""

    codec_preference: list[str]
    """Audio codecs, most wanted first."""

    limits: CallLimits
    """The call's limits."""


_PROBLEMS: dict[int | str, dict[str, object]] = {
    400: {"model": Problem, "description": "The body is not JSON."},
    401: {"model": Problem, "description": "Solve ``challenge``, then ask again with it."},
    403: {"model": Problem, "description": "The page's origin, or the proof, is not good."},
    404: {"model": Problem, "description": "There is no such site."},
    408: {"model": Problem, "description": "The body took too long."},
    413: {"model": Problem, "description": "The body is too long."},
    422: {"model": Problem, "description": "The body has the wrong form, or lacks consent."},
    429: {"model": Problem, "description": "A limit is reached; Retry-After says for how long."},
    503: {"model": Problem, "description": "No calls now: hours, maintenance, or a part is down."},
}


@router.post("/sessions", status_code=201, response_model=SessionAnswer, responses=_PROBLEMS)
async def start_session(
    request: Request,
    response: Response,
    context: Context,
    question: SessionQuestion | None = None,
    origin: Annotated[str | None, Header(description="Set by the browser.")] = None,
) -> SessionAnswer | JSONResponse:
    """Ask for permission to start one call."""
    question = question or SessionQuestion()
    address = peer_address(request)
    site = question.site
    call_id = await pass_challenge(
        context, request, site=site, origin=origin, address=address, solution=question.challenge
    )
    if isinstance(call_id, JSONResponse):
        return call_id
    verdict = await request_grant(
        context,
        call_id=call_id,
        site=site,
        origin=origin,
        address=address,
        has_consent=question.consent,
    )
    if isinstance(verdict, Refused):
        note_refusal(context, address)
        return refused_response(verdict)
    response.headers["Cache-Control"] = "no-store"
    return _answer(context, verdict)


def _answer(context: EdgeContext, admitted: Admitted) -> SessionAnswer:
    grant, site, secrets = admitted.grant, admitted.site, context.secrets
    return SessionAnswer(
        call_id=grant.call_id,
        token=sign_grant(grant, key=grant_keys(context)[0]),
        expires_in_s=context.settings.edge.grant_ttl_s,
        signaling_url=signaling_url(context.settings.edge.public_url),
        site=grant.site,
        ice_servers=mint_ice_servers(
            context.settings,
            secret=secrets.turn_secret.get_secret_value(),
            call_id=grant.call_id,
            media_address=context.media_address,
            now_unix=context.wall_clock(),
        ),
        ice_transport_policy=site.ice_transport_policy,
        codec_preference=["opus", "PCMU"],
        limits=CallLimits(call_duration_max_s=site.call_duration_max_s),
    )


def signaling_url(public_url: str) -> str:
    """Return the signaling WebSocket's URL under the edge's public one."""
    return f"ws{public_url.removeprefix('http')}{SIGNALING_PATH}"
