"""Errors as RFC 9457 ``application/problem+json``, with a sentence that the visitor may see."""

import logging
from http import HTTPStatus
from typing import Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from talkbutton.rules.admission import RefusalCode, Refused

__all__ = [
    "PROBLEM_MEDIA_TYPE",
    "Problem",
    "ProblemCode",
    "install_problems",
    "problem_response",
    "refused_response",
]

_log = logging.getLogger("talkbutton.edge")

PROBLEM_MEDIA_TYPE = "application/problem+json"
"""Source: RFC 9457, section 6."""

_RETRY_AFTER_S = 5

_STATUSES: dict[RefusalCode, int] = {
    "origin_refused": 403,
    "site_unknown": 404,
    "gateway_unavailable": 503,
    "line_unavailable": 503,
    "bot_unavailable": 503,
    "limits_unavailable": 503,
    "maintenance": 503,
    "outside_hours": 503,
    "grant_missing": 403,
    "grant_malformed": 403,
    "grant_expired": 403,
    "grant_used": 403,
    "grant_origin": 403,
    "grant_address": 403,
    "grant_purpose": 403,
    "grant_revoked": 403,
    "call_over": 409,
    "refresh_limit": 429,
    "consent_missing": 422,
    "challenge_needed": 401,
    "challenge_failed": 403,
    "address_calls": 429,
    "address_calls_per_hour": 429,
    "address_sessions": 429,
    "site_calls": 429,
    "site_sessions": 429,
    "all_calls": 429,
    "all_sessions": 429,
    "budget_spent": 429,
}

ProblemCode = (
    RefusalCode | Literal["request_invalid", "not_found", "method_not_allowed", "internal"]
)


class Problem(BaseModel):
    """Why a request was not done.

    Source: RFC 9457.
    """

    type: str = "about:blank"
    """Always ``about:blank``: ``code`` says which problem it is."""

    title: str
    """The HTTP status in words."""

    status: int
    """The HTTP status."""

    detail: str
    """A plain sentence for the visitor."""

    code: str
    """Stable and safe to match on."""

    retry_after_s: int | None = None
    """Seconds after which trying again may help."""

    challenge: dict[str, str | int] | None = None
    """What to solve first: ALTCHA's JSON, or ``kind`` and ``site_key`` of a third party."""


def problem_response(
    status: int,
    code: ProblemCode,
    detail: str,
    *,
    retry_after_s: int | None = None,
    challenge: dict[str, str | int] | None = None,
) -> JSONResponse:
    """Return the answer that reports a problem."""
    problem = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        retry_after_s=retry_after_s,
        challenge=challenge,
    )
    headers = {"Cache-Control": "no-store"}
    if retry_after_s is not None:
        headers["Retry-After"] = str(retry_after_s)
    return JSONResponse(
        problem.model_dump(exclude_none=True),
        status_code=status,
        media_type=PROBLEM_MEDIA_TYPE,
        headers=headers,
    )


def refused_response(
    refused: Refused, *, challenge: dict[str, str | int] | None = None
) -> JSONResponse:
    """Return the answer to a visitor who may not start a call."""
    status = _STATUSES[refused.code]
    retry_after_s = refused.retry_after_s
    if retry_after_s is None and status == HTTPStatus.SERVICE_UNAVAILABLE:
        retry_after_s = _RETRY_AFTER_S
    return problem_response(
        status, refused.code, refused.detail, retry_after_s=retry_after_s, challenge=challenge
    )


def install_problems(app: FastAPI) -> None:
    """Make every error of ``app`` a problem."""
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(Exception, _on_mistake)


async def _on_http_exception(_: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, HTTPException)
    match exc.status_code:
        case HTTPStatus.NOT_FOUND:
            return problem_response(404, "not_found", "There is nothing at this address.")
        case HTTPStatus.METHOD_NOT_ALLOWED:
            answer = problem_response(
                405, "method_not_allowed", "This address does not take such requests."
            )
            answer.headers.update(exc.headers or {})  # Allow: RFC 9110, section 15.5.6
            return answer
        case _:
            return problem_response(
                exc.status_code, "request_invalid", "The request could not be understood."
            )


async def _on_invalid_request(_: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, RequestValidationError)
    where = "; ".join(
        f"{'.'.join(str(part) for part in error['loc'])}: {error['type']}"
        for error in exc.errors()[:3]
    )
    _log.info("a request was refused: %s", where[:200])
    return problem_response(422, "request_invalid", "The request could not be understood.")


async def _on_mistake(_request: Request, _exc: Exception) -> JSONResponse:
    return problem_response(500, "internal", "Something went wrong on our side.")
