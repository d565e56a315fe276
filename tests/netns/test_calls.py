"""T6: real calls from other people's networks, heard at both ends by machine.

Here some; all of them, in both browsers, by `make natlab`.
"""

import pytest

from support.lab_calls import BrowserName, call_from, stack_in
from talkbutton.operate.natlab.lab import running_lab
from talkbutton.operate.natlab.network import NETWORKS

pytestmark = [pytest.mark.netns, pytest.mark.timeout(240)]


@pytest.mark.parametrize(
    ("name", "browser", "path"),
    [
        ("symmetric", "chromium", "prflx/udp"),
        ("only-443", "chromium", "relay/tcp"),
        ("carrier", "firefox", "prflx/udp"),
    ],
)
def test_a_call_from(
    name: str, browser: BrowserName, path: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with (
        running_lab(NETWORKS[name]) as lab,
        stack_in(lab, tmp_path_factory.mktemp("net")) as stack,
    ):
        call = call_from(lab, stack, browser)
    assert call.is_question_understood, call.visitor_heard
    assert call.is_answer_heard, call.bot_heard
    assert call.path == path
