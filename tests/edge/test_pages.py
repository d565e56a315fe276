import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from support.edge_rig import EdgeRig, running_edge
from talkbutton.edge.pages import SITE_DIR

pytestmark = [pytest.mark.edge, pytest.mark.anyio]

PROBLEMS = ("400", "401", "403", "404", "408", "413", "422", "429", "503")


class Addresses(HTMLParser):
    """Collects what a page loads or links to, and its scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.found += [text for name, text in attrs if name in {"src", "href"} and text]


async def test_the_demo_page_and_its_files(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("<h1>shop</h1>")
    (site / "site.css").write_text("h1{}")
    (tmp_path / "secret.txt").write_text("secret")
    async with running_edge(tmp_path, site_dir=site) as rig:
        page = await rig.http.get("/")
        assert (page.status_code, page.text) == (200, "<h1>shop</h1>")
        assert page.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert (await rig.http.get("/site.css")).headers["content-type"].startswith("text/css")
        assert (await rig.http.get("/%2e%2e/secret.txt")).status_code == 404
        missing = await rig.http.get("/missing.css")
        assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
        assert (await rig.http.get("/healthz")).status_code == 200


async def test_the_shipped_demo_page_needs_nothing_that_the_policy_forbids() -> None:
    page = (SITE_DIR / "index.html").read_text(encoding="utf-8")
    addresses = Addresses()
    addresses.feed(page)
    assert not [text for text in addresses.found if re.match(r"[a-z]+:|//", text)]
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", page)


async def test_the_button_can_be_loaded_by_any_page(tmp_path: Path) -> None:
    widget = tmp_path / "talk-button.js"
    widget.write_text("export {};")
    async with running_edge(tmp_path, widget=widget) as rig:
        answer = await rig.http.get("/talk-button.js", headers={"Origin": "https://a.example"})
    assert answer.text == "export {};"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"


async def test_a_button_that_was_not_built_says_so(rig: EdgeRig) -> None:
    answer = await rig.http.get("/talk-button.js")
    assert answer.status_code == 404
    assert "was not built" in answer.json()["detail"]


async def test_the_docs_work_without_internet(rig: EdgeRig) -> None:
    page = await rig.http.get("/docs")
    addresses = Addresses()
    addresses.feed(page.text)
    assert all(text.startswith(("/", "#")) for text in addresses.found)
    assert addresses.scripts == 0
    assert "POST /v1/sessions" in page.text
    assert "SessionAnswer" in page.text
    policy = page.headers["content-security-policy"]
    assert "sha256-" in policy
    assert "unsafe" not in policy


async def test_openapi_describes_the_sessions(rig: EdgeRig) -> None:
    described = (await rig.http.get("/openapi.json")).json()
    assert set(described["paths"]) == {
        "/v1/sessions",
        "/v1/sessions/refresh",
        "/v1/sessions/cancel",
        "/v1/sites/{site}",
        "/healthz",
        "/readyz",
    }
    answers = described["paths"]["/v1/sessions"]["post"]["responses"]
    assert set(answers) == {"201", *PROBLEMS}
    for status in PROBLEMS:
        assert list(answers[status]["content"]) == ["application/problem+json"]
