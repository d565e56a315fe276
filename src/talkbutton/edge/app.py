"""The edge's public application: every address it answers, put together."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from talkbutton.edge import own_session, sessions, sites, socket, status
from talkbutton.edge.context import EdgeContext
from talkbutton.edge.gate import Gate, InTurn
from talkbutton.edge.middleware import AnswerHeaders, BodyLimit, security_headers
from talkbutton.edge.pages import SITE_DIR, find_widget, install_pages
from talkbutton.edge.problem import PROBLEM_MEDIA_TYPE, install_problems

__all__ = ["create_api", "create_app"]

_DESCRIPTION = (
    "Starts voice calls from web pages. The call itself is placed on the WebSocket that "
    "signaling_url names; its messages are in docs/reference/signaling.md."
)


def create_app(
    context: EdgeContext, *, site_dir: Path = SITE_DIR, widget: Path | None = None
) -> ASGIApp:
    """Return the application for a server to run.

    Args:
        context: The rooms below, opened.
        site_dir: Folder of the demo page.
        widget: The button's script; None looks for it.
    """
    api = create_api(context)
    install_pages(api, site_dir=site_dir, widget=widget or find_widget())
    settings = context.settings
    return AnswerHeaders(
        Gate(BodyLimit(InTurn(api)), settings), security_headers(settings.edge.public_url)
    )


class _Api(FastAPI):
    """FastAPI that describes its errors with the media type that they have."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is not None:
            return self.openapi_schema
        described = super().openapi()
        for methods in described["paths"].values():
            for operation in methods.values():
                for code, answer in operation["responses"].items():
                    content = answer.get("content", {})
                    if code >= "400" and "application/json" in content:
                        content[PROBLEM_MEDIA_TYPE] = content.pop("application/json")
        return described


def create_api(context: EdgeContext) -> FastAPI:
    """Return the API alone."""
    api = _Api(
        title="talkbutton edge",
        description=_DESCRIPTION,
        version="1",
        docs_url=None,
        redoc_url=None,
    )
    api.state.context = context
    install_problems(api)
    for room in (sessions, own_session, sites, socket, status):
        api.include_router(room.router)
    return api
