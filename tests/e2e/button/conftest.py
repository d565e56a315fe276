"""A browser, a scripted edge, its bot and a visitor for the tests of the button."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page

from support.browser import launch_chromium
from support.button_page import REMEMBER_PEER, Visitor, open_bot
from support.fake_edge import SCRIPT, FakeEdge, serve_fake_edge


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with launch_chromium(
        answers_prompt=False, flags=["--host-resolver-rules=MAP shop.test 127.0.0.1"]
    ) as browser:
        yield browser


@pytest.fixture
def edge() -> Iterator[FakeEdge]:
    assert SCRIPT.exists(), "build the button first: make setup"
    with serve_fake_edge() as running:
        yield running


@pytest.fixture
def bot(chromium: Browser, edge: FakeEdge) -> Iterator[Page]:
    page = open_bot(chromium, edge)
    yield page
    page.close()


@pytest.fixture
def visitor(chromium: Browser, edge: FakeEdge) -> Iterator[Visitor]:
    context = chromium.new_context(permissions=["microphone"])
    page = context.new_page()
    violations: list[str] = []

    def keep_violation(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            violations.append(message.text)

    page.on("console", keep_violation)
    page.on("pageerror", lambda error: violations.append(str(error)))
    page.add_init_script(REMEMBER_PEER)
    page.goto(edge.url)
    yield Visitor(page)
    context.close()
    assert violations == []
