"""``GET /v1/sites/{site}``: whether a call could start now, before anybody is asked for anything.

Cheap on purpose, because every page view may ask: it looks at settings, the clock and the latest
heartbeats, and takes nothing. A yes is no promise; the session request decides.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from talkbutton.edge.context import Context
from talkbutton.edge.problem import Problem, refused_response
from talkbutton.rules.admission import first_missing_part, owners_refusal, refuse

__all__ = ["SiteAnswer", "router"]

_MAX_AGE_S = 5

router = APIRouter(prefix="/v1", tags=["sessions"])


class SiteAnswer(BaseModel):
    """Whether a call could start now, and what the visitor must agree to first."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    site: str
    """The site."""

    state: Literal[
        "open",
        "outside_hours",
        "maintenance",
        "gateway_unavailable",
        "line_unavailable",
        "bot_unavailable",
    ]
    """``open``, or the code with which a session would be refused."""

    detail: str | None = None
    """A plain sentence for the visitor; none while open."""

    retry_after_s: int | None = None
    """Seconds until it opens, or after which trying again may help."""

    opens_unix: int | None = None
    """When it opens next, in Unix seconds, where ``state`` is ``outside_hours``."""

    consent_text: str | None = None
    """What the visitor must agree to; the session request then says ``"consent": true``."""


@router.get(
    "/sites/{site}",
    response_model=SiteAnswer,
    response_model_exclude_none=True,
    responses={
        404: {"model": Problem, "description": "There is no such site."},
        422: {"model": Problem, "description": "That is no name of a site."},
    },
)
async def describe_site(
    response: Response,
    context: Context,
    site: Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")],
) -> SiteAnswer | JSONResponse:
    """Say whether a call could start now."""
    settings = context.settings.sites.get(site)
    if settings is None:
        return refused_response(refuse("site_unknown"))
    response.headers["Cache-Control"] = f"max-age={_MAX_AGE_S}"
    now_unix, presence = context.wall_clock(), context.presence
    refused = owners_refusal(settings, now_unix=now_unix) or first_missing_part(
        presence.liveness, now=presence.now
    )
    consent_text = settings.consent.text
    if refused is None:
        return SiteAnswer(site=site, state="open", consent_text=consent_text)
    is_closed = refused.code == "outside_hours" and refused.retry_after_s is not None
    return SiteAnswer.model_validate(
        {
            "site": site,
            "state": refused.code,
            "detail": refused.detail,
            "retry_after_s": refused.retry_after_s,
            "opens_unix": round(now_unix + (refused.retry_after_s or 0)) if is_closed else None,
            "consent_text": consent_text,
        }
    )
