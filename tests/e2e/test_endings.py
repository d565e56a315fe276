"""Every way a call can end leaves nothing behind; every part that is missing says so plainly."""

import os
import signal
from collections.abc import Iterator

import psutil
import pytest
from playwright.sync_api import Browser, Page

from support.browser import launch_chromium
from support.stack import Stack, wait_until
from support.visitor import Visitor

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


@pytest.fixture
def chromium() -> Iterator[Browser]:
    with launch_chromium() as browser:
        yield browser


@pytest.fixture
def page(chromium: Browser) -> Page:
    return chromium.new_page()


def in_call(page: Page, stack: Stack) -> Visitor:
    visitor = Visitor.arrive(page, stack.url)
    visitor.press()
    visitor.wait_for_state("in-call")
    visitor.wait_for_bot_audible()
    found = stack.leftovers()
    assert len(found["channels"]) == 2, found
    assert len(found["bridges"]) == 1, found
    assert len(found["ports"]) == 1, found
    return visitor


def test_hanging_up_in_the_page(stack: Stack, page: Page) -> None:
    visitor = in_call(page, stack)
    visitor.hang_up()
    visitor.wait_for_state("ended")
    stack.wait_for_nothing_left()
    [ended] = [e for e in stack.wait_for_events("call.ended", 2) if e.program == "bridge"]
    assert ended.data["cause"] == "visitor_hung_up"


def test_the_bot_hangs_up(stack: Stack, page: Page) -> None:
    visitor = in_call(page, stack)
    visitor.wait_for_bot_silent()
    visitor.say("thank you goodbye")
    visitor.wait_for_state("ended", deadline_s=20)
    assert visitor.end_code() == "bot-hung-up"
    stack.wait_for_nothing_left()


def test_closing_the_tab(stack: Stack, page: Page) -> None:
    in_call(page, stack)
    page.close()
    stack.wait_for_nothing_left()


def test_killing_the_browser(stack: Stack) -> None:
    with launch_chromium() as browser:
        in_call(browser.new_page(), stack)
        for pid in browser_pids():
            os.kill(pid, signal.SIGKILL)
        stack.wait_for_nothing_left()


def browser_pids() -> list[int]:
    """Return the pids of Chromium's own processes below this test run."""
    below = psutil.Process().children(recursive=True)
    found = [process.pid for process in below if process.name().startswith("chrom")]
    assert found, "no browser runs"
    return found


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("janus", "gateway-unavailable"),
        ("asterisk", "line-unavailable"),
        ("bridge", "bot-unavailable"),
    ],
)
def test_a_part_that_is_down_has_its_own_words_and_recovers(
    stack: Stack, page: Page, part: str, code: str
) -> None:
    visitor = Visitor.arrive(page, stack.url)
    stack.stop_part(part)
    try:
        wait_until("the edge knows", lambda: not stack.is_ready(), deadline_s=15)
        visitor.press()
        visitor.wait_for_state("ended")
        assert visitor.end_code() == code
    finally:
        stack.start_part(part)
    stack.wait_until_ready()
    visitor.press()
    visitor.wait_for_state("in-call", deadline_s=20)
    visitor.wait_for_bot_audible()
    visitor.hang_up()
    visitor.wait_for_state("ended")
    stack.wait_for_nothing_left()


def test_the_edge_down_has_its_own_words_and_recovers(stack: Stack, page: Page) -> None:
    visitor = Visitor.arrive(page, stack.url)
    stack.stop_part("edge")
    try:
        visitor.press()
        visitor.wait_for_state("ended")
        assert visitor.end_code() == "edge-unreachable"
    finally:
        stack.start_part("edge")
    stack.wait_until_ready()
    visitor.press()
    visitor.wait_for_state("in-call", deadline_s=20)
    visitor.hang_up()


@pytest.mark.parametrize("part", ["janus", "asterisk", "bridge", "edge"])
def test_a_part_that_dies_in_a_call_ends_it_and_leaves_nothing(
    stack: Stack, page: Page, part: str
) -> None:
    visitor = in_call(page, stack)
    stack.kill_part(part)
    visitor.wait_for_state("ended", deadline_s=30)
    stack.wait_until_ready()
    stack.wait_for_nothing_left(deadline_s=30)
    visitor.press()
    visitor.wait_for_state("in-call", deadline_s=20)
    visitor.hang_up()
    visitor.wait_for_state("ended")
