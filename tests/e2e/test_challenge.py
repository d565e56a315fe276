"""S4 on the whole stack: a site that always asks for work is called like any other."""

from collections.abc import Iterator

import pytest

from support.browser import launch_chromium, launch_firefox
from support.stack import Stack
from support.visitor import Visitor

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def asking_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("challenge")
    always = 'challenge = { when = "always", cost_min = 50000 }'
    stack = Stack.make(folder, 19_000, bot='kind = "echo"', site=always)
    stack.start()
    try:
        yield stack
    finally:
        assert stack.stop() == 0


def assert_called_after_work(stack: Stack, visitor: Visitor) -> None:
    visitor.press()
    visitor.wait_for_state("in-call", deadline_s=30)
    [asked] = stack.wait_for_events("challenge.asked")
    [solved] = stack.wait_for_events("challenge.solved")
    stack.wait_for_events("session.admitted")
    stack.wait_for_events("ice.connected")
    assert asked.data["cost"] == solved.data["cost"]
    assert isinstance(asked.data["cost"], int)
    assert asked.data["cost"] >= 50_000
    visitor.hang_up()
    visitor.wait_for_state("ended")
    stack.wait_for_nothing_left()


def test_chromium_works_and_calls(asking_stack: Stack) -> None:
    with launch_chromium() as browser:
        page = browser.new_page()
        blocked: list[str] = []
        page.on("console", lambda said: blocked.append(said.text))
        assert_called_after_work(asking_stack, Visitor.arrive(page, asking_stack.url))
    assert [text for text in blocked if "Content Security Policy" in text] == []
    asked = asking_stack.events_of_latest_call()[0]
    assert (asked.name, asked.data["signals"]) == ("challenge.asked", "headless")


def test_firefox_works_and_calls(asking_stack: Stack) -> None:
    with launch_firefox() as page:
        assert_called_after_work(asking_stack, Visitor.arrive(page, asking_stack.url))
    assert asking_stack.events_of_latest_call()[0].data["signals"] == ""
