"""The files that browsers fetch: the button, the demo page, the API's description."""

from pathlib import Path

import anyio
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from talkbutton.edge.docs_page import render_docs_page
from talkbutton.edge.problem import problem_response

__all__ = ["SITE_DIR", "find_widget", "install_pages"]

SITE_DIR = Path(__file__).parent / "site"
"""The demo page."""

_WIDGET_NAME = "talk-button.js"
_PACKAGED_WIDGET = Path(__file__).parent / _WIDGET_NAME
_BUILT_WIDGET = Path("web/button/dist") / _WIDGET_NAME


def find_widget() -> Path:
    """Return where the button's script is: in the package, or in the source tree it runs from."""
    root = Path(__file__).parents[3]
    return _PACKAGED_WIDGET if _PACKAGED_WIDGET.exists() else root / _BUILT_WIDGET


def install_pages(app: FastAPI, *, site_dir: Path, widget: Path) -> None:
    """Serve the button, the API's description, and the demo page at every other address."""

    @app.get("/talk-button.js", include_in_schema=False)
    async def talk_button() -> Response:
        if not await anyio.Path(widget).is_file():
            return problem_response(
                404, "not_found", "The button's script was not built: run `make setup`."
            )
        return FileResponse(
            widget,
            media_type="text/javascript; charset=utf-8",
            headers={
                "Access-Control-Allow-Origin": "*",
                "Cache-Control": "public, max-age=300",
                "Cross-Origin-Resource-Policy": "cross-origin",
            },
        )

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        page, policy = render_docs_page(request.app.openapi())
        return HTMLResponse(page, headers={"Content-Security-Policy": policy})

    if site_dir.is_dir():
        app.mount("/", StaticFiles(directory=site_dir, html=True), name="site")
