"""What the owner sets, on the whole stack: consent, a short call, a small budget, a silent visitor.

One stack, one call a day. A visitor who never connects does not use it up. Then one agrees, says
nothing, is warned by eye and by ear, the call reaches its longest duration, and the day is spent.
"""

import json
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from support.browser import launch_chromium
from support.edge_rig import OFFER
from support.stack import Stack
from support.visitor import Visitor

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

CONSENT = "We record this call."
CALL_US = "Please call us: 555 0100."
SITE = f"""
call_duration_max_s = 30
[sites.default.consent]
text = "{CONSENT}"
[sites.default.budget]
calls_per_day = 1
instead = "{CALL_US}"
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack.make(tmp_path_factory.mktemp("gates"), 22_000, site=SITE, limits="warning_s = 15")
    stack.start()
    try:
        yield stack
    finally:
        assert stack.stop() == 0


@pytest.fixture
def chromium() -> Iterator[Browser]:
    with launch_chromium() as browser:
        yield browser


def agree(page: Page, visitor: Visitor) -> None:
    visitor.press()
    visitor.wait_for_state("consent")
    assert CONSENT in visitor.shown()
    page.get_by_role("button", name="I agree").click()


def test_a_call_without_media_is_reaped_and_does_not_count(stack: Stack) -> None:
    """A visitor who signals, and never connects; the next test still has the day's one call."""
    stack.wait_until_ready()
    asked = httpx.post(
        f"{stack.url}/v1/sessions",
        json={"consent": True},
        headers={"Origin": stack.url},
        trust_env=False,
    ).json()
    with connect(
        asked["signaling_url"],
        origin=Origin(stack.url),
        subprotocols=[Subprotocol("talkbutton.v1")],
        proxy=None,
    ) as socket:
        socket.send(json.dumps({"type": "start", "token": asked["token"]}))
        socket.send(json.dumps({"type": "offer", "sdp": OFFER}))
        heard = [json.loads(text) for text in socket]
    assert "answer" in [message["type"] for message in heard]
    assert (heard[-1]["type"], heard[-1]["cause"]) == ("ended", "media_lost")
    stack.wait_for_nothing_left()
    stack.wait_for_events("call.ended", 2)
    names = {event.name for event in stack.events_of_latest_call()}
    assert {"bot.greeted", "media.verified", "ice.connected"}.isdisjoint(names)


def test_a_silent_visitor_is_asked_warned_and_costs_nothing(
    stack: Stack, chromium: Browser
) -> None:
    stack.wait_until_ready()
    page = chromium.new_page()
    visitor = Visitor.arrive(page, stack.url)
    agree(page, visitor)
    visitor.wait_for_state("in-call")

    expect(page.get_by_role("timer", name="Time left")).to_be_visible(timeout=20_000)
    expect(page.get_by_role("status")).to_contain_text("Our time is almost up")
    visitor.wait_for_caption("bot", "This call will end in a moment")
    [warned] = stack.wait_for_events("bot.warned")
    assert (warned.program, warned.data["left_s"]) == ("bridge", 15)
    [shown] = stack.wait_for_events("visitor.warned")
    assert shown.data["left_s"] == 15

    visitor.wait_for_state("ended", deadline_s=25)
    assert visitor.end_code() == "duration-limit"
    stack.wait_for_nothing_left()
    stack.wait_for_events("call.ended", 2)
    events = stack.events_of_latest_call()
    names = [event.name for event in events]
    assert "bot.greeted" in names
    assert {"visitor.spoke", "bot.heard", "bot.answered"}.isdisjoint(names)
    consents = {event.name: event.data["consent"] for event in events if "consent" in event.data}
    assert consents == {"session.admitted": True, "channel.entered": True}

    visitor.press()
    visitor.wait_for_state("consent")
    page.get_by_role("button", name="I agree").click()
    visitor.wait_for_state("ended")
    assert visitor.end_code() == "budget-spent"
    assert CALL_US in visitor.shown()
    [spent] = stack.wait_for_events("budget.spent")
    assert (spent.data["budget"], spent.data["site"]) == ("calls", "default")
