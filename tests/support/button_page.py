"""A page with the talk button on it, in the hands of a visitor, and the bot's page."""

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, expect

from support.fake_edge import FakeEdge

__all__ = ["BREAK_PEER", "REMEMBER_PEER", "Visitor", "open_bot", "write_tone"]

REMEMBER_PEER = """
    const Native = RTCPeerConnection;
    window.RTCPeerConnection = class extends Native {
      constructor(...options) { super(...options); window.peer = this; }
    };
"""
"""Lets a test say that the network broke: no page can break it from inside."""

BREAK_PEER = """(state) => {
    Object.defineProperty(peer, 'connectionState', { value: state, configurable: true });
    peer.dispatchEvent(new Event('connectionstatechange'));
}"""


def open_bot(browser: Browser, edge: FakeEdge) -> Page:
    page = browser.new_page()
    page.goto(f"{edge.url}/bot")
    page.wait_for_function("document.title === 'Bot ready'")
    return page


@dataclass(frozen=True, slots=True)
class Visitor:
    """A page with the button, in the hands of a visitor."""

    page: Page

    def press(self) -> None:
        self.page.locator("talk-button [part~=button]").click()

    def expect_state(self, name: str, *, timeout_s: float = 8) -> None:
        button = self.page.locator("talk-button")
        expect(button).to_have_attribute("state", name, timeout=timeout_s * 1000)

    def expect_words(self, *words: str) -> None:
        for word in words:
            expect(self.page.get_by_role("status")).to_contain_text(word)

    def call(self) -> None:
        self.press()
        self.expect_state("in-call")


def write_tone(path: Path, frequency_hz: float, *, length_s: float = 4) -> Path:
    rate_hz = 16_000
    samples = 0.4 * np.sin(2 * np.pi * frequency_hz * np.arange(int(length_s * rate_hz)) / rate_hz)
    with wave.open(str(path), "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(rate_hz)
        target.writeframes((samples * 32_767).astype("<i2").tobytes())
    return path
