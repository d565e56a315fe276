"""What the talk button sends and plays, in Chromium and in Firefox."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from support.browser import (
    arm_recorder,
    launch_chromium,
    launch_firefox,
    loudest_hz,
    set_wav_microphone,
    take_recording,
)
from support.button_page import Visitor, open_bot, write_tone
from support.fake_edge import CallScript, FakeEdge, Refusal

TONE_HZ = 440
"""What the bot page plays."""

pytestmark = pytest.mark.e2e


def test_the_microphone_is_let_go(visitor: Visitor, edge: FakeEdge, bot: Page) -> None:
    del edge, bot
    visitor.page.evaluate(
        """() => {
            const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            navigator.mediaDevices.getUserMedia = async (wanted) =>
              (window.microphone = await ask(wanted));
        }"""
    )
    visitor.call()
    visitor.press()
    visitor.expect_state("ended")
    assert visitor.page.evaluate("microphone.getTracks().map((track) => track.readyState)") == [
        "ended"
    ]
    assert visitor.page.evaluate("document.querySelector('talk-button').remoteStream") is None


def test_a_recording_holds_both_sides(chromium: Browser, edge: FakeEdge, bot: Page) -> None:
    del bot
    context = chromium.new_context(permissions=["microphone"], bypass_csp=True)
    visitor = Visitor(context.new_page())
    visitor.page.goto(edge.url)
    arm_recorder(visitor.page)
    visitor.call()
    expect(visitor.page.get_by_role("timer")).to_have_text("0:02")
    recording = take_recording(visitor.page)
    context.close()

    second = recording.rate_hz
    assert recording.kind == "worklet"
    assert loudest_hz(recording.bot[-second:], second) == pytest.approx(TONE_HZ, abs=2)
    assert np.abs(recording.microphone).max() > 0.05
    assert recording.pressed_at_samples is not None
    first_sound = int(np.argmax(np.abs(recording.bot) > 0.05))
    assert 0 < first_sound - recording.pressed_at_samples < 4 * second


def test_the_bot_hears_the_microphone_until_it_is_muted(edge: FakeEdge, tmp_path: Path) -> None:
    tone = write_tone(tmp_path / "tone.wav", 700)
    with launch_chromium(tone, loop=True) as browser:
        bot = open_bot(browser, edge)
        visitor = Visitor(browser.new_page())
        visitor.page.goto(edge.url)
        visitor.call()
        bot.wait_for_function("Math.abs(heardHz() - 700) < 10")
        visitor.page.get_by_role("button", name="Mute").click()
        visitor.expect_words("Your microphone is off.")
        bot.wait_for_function("heardHz() === null")
        visitor.page.get_by_role("button", name="Unmute").click()
        bot.wait_for_function("Math.abs(heardHz() - 700) < 10")


def test_firefox_talks_and_hears(
    chromium: Browser, edge: FakeEdge, bot: Page, tmp_path: Path
) -> None:
    del chromium
    with launch_firefox() as firefox:
        firefox.goto(edge.url)
        firefox.wait_for("customElements.get('talk-button') !== undefined")
        set_wav_microphone(firefox, write_tone(tmp_path / "tone.wav", 700))
        arm_recorder(firefox)
        firefox.press_button()
        firefox.wait_for("document.querySelector('talk-button[state=in-call]') !== null")
        bot.wait_for_function("Math.abs(heardHz() - 700) < 10")
        edge.wait_for_report("stats", phase="call")
        recording = take_recording(firefox)
        firefox.press_button()
        edge.wait_for_report("bye", reason="hung_up")
        edge.wait_for_close()

    last = recording.bot[-recording.rate_hz // 2 :]
    assert loudest_hz(last, recording.rate_hz) == pytest.approx(TONE_HZ, abs=3)
    assert np.abs(recording.microphone).max() > 0.2


def test_firefox_under_a_strict_policy_shows_why_a_call_was_refused(edge: FakeEdge) -> None:
    edge.play(CallScript(refusal=Refusal(503, "bot_unavailable", "Back in a minute.")))
    with launch_firefox(bypasses_policy=False) as firefox:
        firefox.goto(edge.url)
        firefox.wait_for("customElements.get('talk-button') !== undefined")
        firefox.press_button()
        firefox.wait_for("document.querySelector('talk-button[state=ended]') !== null")
        shown = "document.querySelector('talk-button').shadowRoot.querySelector('[part=status]')"
        assert "Back in a minute." in firefox.evaluate(f"{shown}.textContent")
        width = firefox.evaluate(f"getComputedStyle({shown}.closest('[part=header]')).display")
        assert width == "flex", "the constructed style sheet was not applied"
