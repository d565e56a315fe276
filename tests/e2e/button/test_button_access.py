"""The talk button by keyboard, by screen reader, in contrast and without motion."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from support.button_page import Visitor
from support.fake_edge import CallScript, FakeEdge

pytestmark = pytest.mark.e2e


def test_captions_of_both_sides_keep_their_order(
    visitor: Visitor, edge: FakeEdge, bot: Page
) -> None:
    del bot
    visitor.page.evaluate(
        """() => {
            window.captions = [];
            document.addEventListener('talkbutton-caption',
              (event) => captions.push(event.detail));
        }"""
    )
    visitor.call()
    edge.send_caption("bot", "b1", "Good morning.")
    edge.send_caption("visitor", "v1", "When are", final=False)
    edge.send_caption("bot", "b2", "<img src=x onerror=alert(1)>")
    edge.send_caption("visitor", "v1", "When are you open?")
    log = visitor.page.get_by_role("log", name="What was said")
    lines = log.locator("[part~=caption]")
    expect(lines).to_have_text(
        [
            "Assistant: Good morning.",
            "You: When are you open?",
            "Assistant: <img src=x onerror=alert(1)>",
        ]
    )
    expect(log).to_have_attribute("aria-live", "polite")
    expect(log.locator("[aria-hidden]")).to_have_count(0)
    captions = visitor.page.evaluate("captions")
    assert [caption["isFinal"] for caption in captions] == [True, False, True, True]

    visitor.press()
    visitor.expect_state("ended")
    expect(lines).to_have_count(3)
    visitor.call()
    expect(lines).to_have_count(0)


def test_a_double_click_starts_one_call(visitor: Visitor, edge: FakeEdge) -> None:
    edge.play(CallScript(answers=False))
    visitor.page.locator("talk-button [part~=button]").dblclick()
    visitor.expect_state("ringing")


def test_the_keyboard_alone_is_enough(visitor: Visitor, edge: FakeEdge, bot: Page) -> None:
    del bot
    page = visitor.page
    focused = "document.querySelector('talk-button').shadowRoot.activeElement?.part.value"
    page.evaluate("document.querySelector('talk-button').focus()")
    assert page.evaluate(focused) == "button"
    page.keyboard.press("Enter")
    visitor.expect_state("in-call")
    assert page.evaluate(focused) == "button"
    edge.send_caption("bot", "b1", "Hello.")
    expect(page.get_by_role("log")).to_be_visible()
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(focused) == "mute"
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Unmute")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(focused) == "captions"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    visitor.expect_state("ended")
    assert page.evaluate(focused) == "button"
    page.get_by_role("button", name="Close").press("Enter")
    visitor.expect_state("idle")
    assert page.evaluate(focused) == "button"


def test_every_control_has_a_name_and_the_call_a_region(
    visitor: Visitor, edge: FakeEdge, bot: Page
) -> None:
    del bot
    visitor.call()
    edge.send_caption("bot", "b1", "Hello.")
    region = visitor.page.get_by_role("region", name="Voice call")
    expect(region).to_match_aria_snapshot(
        """
        - region "Voice call":
          - status:
            - paragraph: You are connected
            - paragraph
          - timer "Length of the call"
          - log "What was said":
            - paragraph: "Assistant: Hello."
          - button "Mute"
          - button "Hang up"
        """
    )


CONTRASTS = """() => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const rgba = (color) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const luminance = (color) => {
      const [red, green, blue] = rgba(color).map((byte) => {
        const share = byte / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const backdrop = (node) => {
      for (let at = node; at; at = at.parentNode ?? at.host) {
        if (at.nodeType === Node.DOCUMENT_FRAGMENT_NODE) at = at.host;
        const color = getComputedStyle(at).backgroundColor;
        if (rgba(color)[3] === 255) return color;
      }
      return 'white';
    };
    const root = document.querySelector('talk-button').shadowRoot;
    return [...root.querySelectorAll('p, button, .name, .timer')]
      .filter((node) => node.checkVisibility() && node.textContent.trim())
      .map((node) => {
        const [one, other] = [getComputedStyle(node).color, backdrop(node)].map(luminance);
        const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        return [node.textContent.trim(), ratio];
      });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/bare"])
def test_words_have_enough_contrast(
    visitor: Visitor, edge: FakeEdge, bot: Page, scheme: Any, path: str
) -> None:
    del bot
    page = visitor.page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto(edge.url + path)
    measured: dict[str, float] = {}

    def measure() -> None:
        page.mouse.move(0, 0)
        measured.update(page.evaluate(CONTRASTS))

    measure()
    visitor.call()
    edge.send_caption("bot", "b1", "A final line.")
    edge.send_caption("visitor", "v1", "A draft of a line", final=False)
    expect(page.get_by_role("log")).to_contain_text("A draft")
    measure()
    page.get_by_role("button", name="Mute").click()
    measure()
    edge.end_call("bot_unavailable", "The assistant fell asleep.")
    visitor.expect_state("ended")
    measure()

    assert {"Talk to us", "Hang up", "Unmute", "Try again", "You: A draft of a line"} <= set(
        measured
    )
    assert {words: ratio for words, ratio in measured.items() if ratio < 4.5} == {}


def test_nothing_moves_for_those_who_asked_for_that(visitor: Visitor, edge: FakeEdge) -> None:
    visitor.page.emulate_media(reduced_motion="reduce")
    edge.play(CallScript(answers=False))
    visitor.press()
    visitor.expect_state("ringing")
    running = "document.querySelector('talk-button').shadowRoot.getAnimations().length"
    assert visitor.page.evaluate(running) == 0
    visitor.page.emulate_media(reduced_motion="no-preference")
    assert visitor.page.evaluate(running) > 0
