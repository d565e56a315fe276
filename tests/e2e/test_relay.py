"""T1 T2 B2: a call whose media may only go through coturn."""

from collections.abc import Iterator

import pytest

from support.browser import launch_chromium
from support.stack import Stack
from support.visitor import Visitor

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


@pytest.fixture
def relay_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("relay")
    only_relay = 'ice_transport_policy = "relay"'
    stack = Stack.make(folder, 19_000, bot='kind = "echo"', site=only_relay)
    stack.start()
    try:
        yield stack
    finally:
        assert stack.stop() == 0


def test_a_relayed_call_is_heard_and_says_that_it_was_relayed(relay_stack: Stack) -> None:
    with launch_chromium() as browser:
        visitor = Visitor.arrive(browser.new_page(), relay_stack.url)
        visitor.press()
        visitor.wait_for_state("in-call", deadline_s=30)
        visitor.begin_to_say("I would like to book an appointment for Tuesday at three")
        visitor.wait_for_bot_audible()
        stats = relay_stack.wait_for_events("browser.stats")[-1].data
        visitor.hang_up()
        visitor.wait_for_state("ended")
    assert stats["local_candidate_type"] == "relay"
    assert relay_stack.wait_for_events("turn.allocated")
    relay_stack.wait_for_nothing_left()
