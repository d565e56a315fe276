"""The talk button before, instead of and near the end of a call: hours, consent, limits."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from support.button_page import Visitor
from support.fake_edge import CallScript, FakeEdge, Refusal

pytestmark = pytest.mark.e2e

CONSENT = (
    "This call is recorded so that we can help you better. The recording is deleted after 30 days."
)
ASKS_CONSENT = CallScript(site={"state": "open", "consent_text": CONSENT})
CLOSED = CallScript(
    site={
        "state": "outside_hours",
        "detail": "Nobody answers at this time of day. We are back tomorrow at 09:00 (Oslo time).",
        "retry_after_s": 50_400,
    }
)
PICTURES = os.environ.get("TALKBUTTON_PICTURES")
"""Folder for pictures of what a visitor sees; none are made without it."""

COUNT_MICROPHONE = """
    window.asked = 0;
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = (wanted) => { window.asked += 1; return ask(wanted); };
"""


SIZES: dict[str, ViewportSize] = {
    "desktop": {"width": 1280, "height": 800},
    "phone": {"width": 360, "height": 740},
}


@pytest.fixture(params=list(SIZES))
def gate(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """A page that has not been opened yet: ``arrive`` opens it, after the edge has its script."""
    context = chromium.new_context(permissions=["microphone"], viewport=SIZES[request.param])
    page = context.new_page()
    page.add_init_script(COUNT_MICROPHONE)
    yield Visitor(page)
    context.close()


def arrive(visitor: Visitor, edge: FakeEdge, script: CallScript) -> None:
    edge.play(script)
    with visitor.page.expect_response("**/v1/sites/default"):
        visitor.page.goto(edge.url)
    visitor.expect_state("idle")


def picture(visitor: Visitor, name: str) -> None:
    if PICTURES is not None:
        size = visitor.page.viewport_size
        assert size is not None
        visitor.page.locator("talk-button").scroll_into_view_if_needed()
        visitor.page.screenshot(path=Path(PICTURES) / f"{name}-{size['width']}.png")


def microphone_asked(visitor: Visitor) -> int:
    return int(visitor.page.evaluate("asked"))


def test_closed_is_said_without_the_microphone(gate: Visitor, edge: FakeEdge) -> None:
    arrive(gate, edge, CLOSED)
    gate.press()
    gate.expect_state("ended")
    gate.expect_words("We are closed right now", "tomorrow at 09:00")
    assert microphone_asked(gate) == 0
    assert edge.session_requests == []
    picture(gate, "outside-hours")


def test_maintenance_is_said_in_the_owners_words(gate: Visitor, edge: FakeEdge) -> None:
    words = "We are moving to a new office. Call us on Monday, or write to hello@shop.example."
    arrive(gate, edge, CallScript(site={"state": "maintenance", "detail": words}))
    gate.press()
    gate.expect_state("ended")
    gate.expect_words("Calls are paused", words)
    assert microphone_asked(gate) == 0
    picture(gate, "maintenance")


def test_a_site_that_opens_meanwhile_is_asked_again(
    gate: Visitor, edge: FakeEdge, bot: Page
) -> None:
    del bot
    arrive(gate, edge, CLOSED)
    gate.press()
    gate.expect_state("ended")
    edge.play(CallScript())
    gate.page.wait_for_timeout(1_100)  # so long the page believes that it is closed
    gate.press()
    gate.expect_state("in-call")


def test_an_edge_that_does_not_know_the_question_is_called_as_before(
    gate: Visitor, edge: FakeEdge, bot: Page
) -> None:
    del bot
    arrive(gate, edge, CallScript(site=None))
    gate.call()


def test_no_microphone_before_a_yes(gate: Visitor, edge: FakeEdge, bot: Page) -> None:
    del bot
    arrive(gate, edge, ASKS_CONSENT)
    gate.press()
    gate.expect_state("consent")
    dialog = gate.page.get_by_role("alertdialog", name="Before we start")
    expect(dialog).to_be_focused()
    expect(dialog).to_have_accessible_description(CONSENT)
    picture(gate, "consent")
    assert microphone_asked(gate) == 0
    assert edge.session_requests == []

    gate.page.get_by_role("button", name="No, thanks").click()
    gate.expect_state("idle")
    expect(gate.page.locator("talk-button [part~=button]")).to_be_focused()
    assert microphone_asked(gate) == 0

    gate.press()
    gate.page.get_by_role("button", name="I agree, start the call").click()
    gate.expect_state("in-call")
    assert microphone_asked(gate) == 1
    assert edge.session_requests == [{"origin": edge.url, "site": "default", "consent": True}]


def test_consent_by_keyboard(gate: Visitor, edge: FakeEdge, bot: Page) -> None:
    del bot
    arrive(gate, edge, ASKS_CONSENT)
    button = gate.page.locator("talk-button [part~=button]")
    button.focus()
    for _ in range(3):  # a key that is held down is no yes
        gate.page.keyboard.press("Enter")
    gate.expect_state("consent")
    gate.page.keyboard.press("Escape")
    gate.expect_state("idle")
    expect(button).to_be_focused()
    gate.page.keyboard.press("Enter")
    gate.expect_state("consent")
    gate.page.keyboard.press("Tab")
    expect(gate.page.get_by_role("button", name="I agree")).to_be_focused()
    gate.page.keyboard.press("Enter")
    gate.expect_state("in-call")


def test_a_double_click_is_no_yes(gate: Visitor, edge: FakeEdge) -> None:
    arrive(gate, edge, ASKS_CONSENT)
    gate.page.locator("talk-button [part~=button]").dblclick()
    gate.expect_state("consent")
    assert microphone_asked(gate) == 0


def test_consent_that_the_owner_asks_for_meanwhile(gate: Visitor, edge: FakeEdge) -> None:
    arrive(gate, edge, CallScript())
    refusal = Refusal(422, "consent_missing", "The call needs your consent first.")
    edge.play(CallScript(site=ASKS_CONSENT.site, refusal=refusal))
    gate.press()
    gate.expect_state("ended")
    gate.expect_words("We need your consent first")
    gate.press()
    gate.expect_state("consent")


@pytest.mark.parametrize(
    ("refusal", "words", "wait"),
    [
        (
            Refusal(429, "budget_spent", "Please call us: 555 0100.", 50_400),
            ("The assistant is done for today", "555 0100"),
            None,
        ),
        (
            Refusal(429, "site_calls", "All lines are busy. Please try again in a minute.", 60),
            ("All lines are busy", "Everybody who could answer"),
            "Try again in ",
        ),
        (
            Refusal(429, "address_sessions", "Please wait a moment, then try again.", 2),
            ("That was a bit fast", "wait a moment"),
            "You can try again now",
        ),
    ],
)
def test_a_refusal_says_how_long_to_wait(
    gate: Visitor, edge: FakeEdge, refusal: Refusal, words: tuple[str, str], wait: str | None
) -> None:
    arrive(gate, edge, CallScript(refusal=refusal))
    gate.press()
    gate.expect_state("ended")
    gate.expect_words(*words)
    retry = gate.page.locator("talk-button [part~=retry]")
    if wait is None:
        expect(retry).to_be_hidden()
    else:
        expect(retry).to_contain_text(wait)
    expect(gate.page.get_by_role("button", name="Try again")).to_be_enabled()
    picture(gate, f"refused-{refusal.code}")


def test_the_end_is_announced_and_counted_down(gate: Visitor, edge: FakeEdge, bot: Page) -> None:
    del bot
    arrive(gate, edge, CallScript())
    gate.call()
    expect(gate.page.get_by_role("timer", name="Length of the call")).to_have_text("0:01")
    edge.send({"type": "ending_soon", "left_s": 25})
    gate.expect_words("Our time is almost up")
    expect(gate.page.get_by_role("timer", name="Time left")).to_have_text("0:23")
    edge.send_caption("bot", "b1", "Our time is almost up. This call will end in a moment.")
    expect(gate.page.get_by_role("log")).to_contain_text("almost up")
    picture(gate, "ending-soon")
    gate.expect_state("in-call")
