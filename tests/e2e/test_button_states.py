"""The talk button in Chromium and Firefox against a scripted edge: every state, every failure."""

import re
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from support.browser import (
    arm_recorder,
    launch_chromium,
    launch_firefox,
    loudest_hz,
    set_wav_microphone,
    take_recording,
)
from support.fake_edge import SCRIPT, CallScript, FakeEdge, Refusal, serve_fake_edge

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not SCRIPT.exists(), reason="build the button first: make button"),
]

TONE_HZ = 440
"""What the bot page plays."""

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


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with launch_chromium(
        answers_prompt=False, flags=["--host-resolver-rules=MAP shop.test 127.0.0.1"]
    ) as browser:
        yield browser


@pytest.fixture
def edge() -> Iterator[FakeEdge]:
    with serve_fake_edge() as running:
        yield running


def open_bot(browser: Browser, edge: FakeEdge) -> Page:
    page = browser.new_page()
    page.goto(f"{edge.url}/bot")
    page.wait_for_function("document.title === 'Bot ready'")
    return page


@pytest.fixture
def bot(chromium: Browser, edge: FakeEdge) -> Iterator[Page]:
    page = open_bot(chromium, edge)
    yield page
    page.close()


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


def write_tone(path: Path, frequency_hz: float, *, length_s: float = 4) -> Path:
    rate_hz = 16_000
    samples = 0.4 * np.sin(2 * np.pi * frequency_hz * np.arange(int(length_s * rate_hz)) / rate_hz)
    with wave.open(str(path), "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(rate_hz)
        target.writeframes((samples * 32_767).astype("<i2").tobytes())
    return path


def test_a_call_goes_through_every_state(visitor: Visitor, edge: FakeEdge, bot: Page) -> None:
    del bot
    visitor.page.evaluate(
        """() => {
            window.states = [];
            document.addEventListener('talkbutton-statechange',
              (event) => states.push(event.detail.name));
        }"""
    )
    visitor.expect_state("idle")
    visitor.call()
    visitor.expect_words("You are connected")
    expect(visitor.page.get_by_role("timer")).to_have_text("0:01")
    visitor.press()
    visitor.expect_state("ended")
    visitor.expect_words("Call ended", "You talked for 0:01")

    assert visitor.page.evaluate("states") == [
        "asking",
        "connecting",
        "ringing",
        "in-call",
        "ended",
    ]
    assert edge.wait_for_report("bye")["reason"] == "hung_up"
    assert edge.session_requests == [{"origin": edge.url, "site": "default"}]
    assert [report["type"] for report in edge.reports][:2] == ["start", "offer"]


def test_what_the_browser_sees_is_reported(visitor: Visitor, edge: FakeEdge, bot: Page) -> None:
    del bot
    visitor.call()
    edge.wait_for_report("state", ice="connected")
    during = edge.wait_for_report("stats", phase="call")
    visitor.press()
    last = edge.wait_for_report("stats", phase="end")
    edge.wait_for_close()

    assert during["protocol"] == "udp"
    assert during["local_candidate_type"] in {"host", "prflx", "srflx"}
    assert during["codec"] == "audio/opus"
    assert last["packets_received"] >= during["packets_received"] > 10
    assert {"rtt_ms", "jitter_ms", "packets_lost"} <= last.keys()
    assert all(isinstance(value, str | int | float) for value in last.values())


def test_candidates_follow_the_offer_and_end_once(
    visitor: Visitor, edge: FakeEdge, bot: Page
) -> None:
    del bot
    visitor.call()
    edge.wait_for_report("candidate", candidate=None)
    kinds = [report["type"] for report in edge.reports]
    candidates = [report for report in edge.reports if report["type"] == "candidate"]
    offer = edge.wait_for_report("offer")["sdp"]

    assert kinds.index("offer") < kinds.index("candidate")
    assert [report["candidate"] for report in candidates].count(None) == 1
    assert candidates[-1]["candidate"] is None
    assert all(report["candidate"] != "" for report in candidates)
    first_payload_type = re.search(r"^m=audio \d+ \S+ (\d+)", offer, re.MULTILINE)
    assert first_payload_type is not None
    assert f"a=rtpmap:{first_payload_type[1]} opus/48000/2" in offer
    assert "m=video" not in offer


def test_the_session_is_asked_for_while_the_microphone_is(
    visitor: Visitor, edge: FakeEdge, bot: Page
) -> None:
    del bot
    visitor.page.evaluate(
        """() => {
            const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            navigator.mediaDevices.getUserMedia = (wanted) =>
              new Promise((resolve) => { window.allow = () => resolve(ask(wanted)); });
        }"""
    )
    with visitor.page.expect_response("**/v1/sessions"):
        visitor.press()
    visitor.expect_state("asking")
    visitor.expect_words("May we hear you?", "Allow the microphone")
    assert len(edge.session_requests) == 1
    visitor.page.evaluate("allow()")
    visitor.expect_state("in-call")


def test_it_waits_for_the_edge_and_the_visitor_may_cancel(visitor: Visitor, edge: FakeEdge) -> None:
    edge.play(CallScript(holds_session=True))
    visitor.press()
    visitor.expect_state("connecting")
    expect(visitor.page.get_by_role("button", name="Cancel")).to_be_visible()
    visitor.press()
    visitor.expect_state("ended")
    edge.release()


def test_it_rings_until_somebody_answers(visitor: Visitor, edge: FakeEdge) -> None:
    edge.play(CallScript(answers=False))
    visitor.press()
    visitor.expect_state("ringing")
    visitor.expect_words("Ringing")
    edge.end_call("no_answer", "Nobody picked up. Please try later.")
    visitor.expect_state("ended")
    visitor.expect_words("Nobody answered", "Nobody picked up")


def test_a_short_break_of_the_network_is_lived_through(
    visitor: Visitor, edge: FakeEdge, bot: Page
) -> None:
    del edge, bot
    visitor.call()
    visitor.page.evaluate(BREAK_PEER, "disconnected")
    visitor.expect_state("reconnecting")
    visitor.expect_words("Reconnecting", "stay on the line")
    visitor.page.evaluate(BREAK_PEER, "connected")
    visitor.expect_state("in-call")


def test_a_long_break_ends_the_call_after_ten_seconds(
    visitor: Visitor, edge: FakeEdge, bot: Page
) -> None:
    del bot
    visitor.call()
    visitor.page.evaluate(BREAK_PEER, "disconnected")
    visitor.expect_state("reconnecting")
    visitor.expect_state("ended", timeout_s=12)
    visitor.expect_words("Connection lost", "Check your internet connection")
    assert edge.wait_for_report("bye")["reason"] == "failed"
    visitor.call()


def test_no_network_path_says_so(visitor: Visitor, edge: FakeEdge) -> None:
    edge.play(CallScript(answers=False))
    visitor.press()
    visitor.expect_state("ringing")
    visitor.page.evaluate(BREAK_PEER, "failed")
    visitor.expect_state("ended")
    visitor.expect_words("Your network blocks the call", "another network")


def test_a_lost_signaling_socket_ends_the_call(visitor: Visitor, edge: FakeEdge, bot: Page) -> None:
    del bot
    visitor.call()
    edge.drop_call(1011)
    visitor.expect_state("ended")
    visitor.expect_words("Connection lost")


@pytest.mark.parametrize(
    ("cause", "title"),
    [
        ("bot_hung_up", "Call ended"),
        ("duration_limit", "Time is up"),
        ("media_lost", "Connection lost"),
        ("gateway_unavailable", "Calls are not possible just now"),
        ("line_unavailable", "Our phone line is down"),
        ("bot_unavailable", "The assistant is not available"),
        ("internal", "Something went wrong"),
    ],
)
def test_every_cause_of_an_end_has_its_words(
    visitor: Visitor, edge: FakeEdge, cause: str, title: str
) -> None:
    edge.play(CallScript(answers=False))
    visitor.press()
    visitor.expect_state("ringing")
    edge.end_call(cause, "What the edge says.")
    visitor.expect_state("ended")
    visitor.expect_words(title)


@pytest.mark.parametrize(
    ("code", "status", "title"),
    [
        ("gateway_unavailable", 503, "Calls are not possible just now"),
        ("line_unavailable", 503, "Our phone line is down"),
        ("bot_unavailable", 503, "The assistant is not available"),
        ("origin_refused", 403, "This website may not make calls"),
        ("site_unknown", 404, "The button is not set up"),
        ("request_invalid", 422, "The call was refused"),
    ],
)
def test_a_refusal_shows_the_words_of_the_edge_and_the_next_press_works(
    visitor: Visitor, edge: FakeEdge, bot: Page, code: str, status: int, title: str
) -> None:
    del bot
    edge.play(CallScript(refusal=Refusal(status, code, "Come back at nine, please.")))
    visitor.press()
    visitor.expect_state("ended")
    visitor.expect_words(title, "Come back at nine, please.")
    expect(visitor.page.get_by_role("button", name="Try again")).to_be_visible()
    edge.play(CallScript())
    visitor.call()


def test_a_refused_grant_shows_the_words_of_the_edge(visitor: Visitor, edge: FakeEdge) -> None:
    edge.play(CallScript(start_error=("grant_expired", "You waited too long. Press again.")))
    visitor.press()
    visitor.expect_state("ended")
    visitor.expect_words("The call was refused", "You waited too long. Press again.")


def test_an_edge_that_is_down_says_so_and_works_once_it_is_back(chromium: Browser) -> None:
    context = chromium.new_context(permissions=["microphone"])
    visitor = Visitor(context.new_page())
    with serve_fake_edge() as first:
        visitor.page.goto(first.url)
    visitor.press()
    visitor.expect_state("ended")
    visitor.expect_words("We cannot be reached", "try again in a minute")
    with serve_fake_edge(first.port) as second:
        bot = open_bot(chromium, second)
        visitor.call()
        visitor.press()
        second.wait_for_close()
        bot.close()
    context.close()


def test_messages_that_make_no_sense_are_passed_over(
    visitor: Visitor, edge: FakeEdge, bot: Page
) -> None:
    del bot
    edge.play(CallScript(garbage=True))
    visitor.call()


def test_a_denied_microphone_says_how_to_allow_it(
    chromium: Browser, edge: FakeEdge, bot: Page
) -> None:
    del bot
    context = chromium.new_context()
    visitor = Visitor(context.new_page())
    visitor.page.goto(edge.url)
    visitor.press()
    visitor.expect_state("ended")
    visitor.expect_words("The microphone is blocked", "Allow it for this page")
    context.grant_permissions(["microphone"])
    visitor.call()
    context.close()


def test_no_microphone_says_so(edge: FakeEdge) -> None:
    with launch_chromium(has_microphone=False) as browser:
        visitor = Visitor(browser.new_page())
        visitor.page.goto(edge.url)
        visitor.press()
        visitor.expect_state("ended")
        visitor.expect_words("No microphone found", "Plug in a microphone")


@pytest.mark.parametrize(
    ("error", "title"),
    [
        ("NotReadableError", "The microphone is in use"),
        ("TypeError", "The microphone did not start"),
    ],
)
def test_a_microphone_that_fails_says_why(visitor: Visitor, error: str, title: str) -> None:
    visitor.page.evaluate(
        """(name) => {
            navigator.mediaDevices.getUserMedia = () =>
              Promise.reject(new DOMException('', name));
        }""",
        error,
    )
    visitor.press()
    visitor.expect_state("ended")
    visitor.expect_words(title)


def test_a_microphone_that_is_unplugged_ends_the_call(
    visitor: Visitor, edge: FakeEdge, bot: Page
) -> None:
    del edge, bot
    visitor.page.evaluate(
        """() => {
            const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            navigator.mediaDevices.getUserMedia = async (wanted) =>
              (window.microphone = await ask(wanted));
        }"""
    )
    visitor.call()
    visitor.page.evaluate("microphone.getTracks()[0].dispatchEvent(new Event('ended'))")
    visitor.expect_state("ended")
    visitor.expect_words("The microphone was disconnected")


def test_a_page_policy_against_microphones_names_the_header(
    chromium: Browser, edge: FakeEdge
) -> None:
    edge.page_headers["permissions-policy"] = "microphone=()"
    context = chromium.new_context(permissions=["microphone"])
    visitor = Visitor(context.new_page())
    visitor.page.goto(edge.url)
    visitor.press()
    visitor.expect_state("ended")
    visitor.expect_words("This page does not allow the microphone", "microphone=(self)")
    context.close()


def test_a_page_without_https_says_so(chromium: Browser, edge: FakeEdge) -> None:
    visitor = Visitor(chromium.new_page())
    visitor.page.goto(f"http://shop.test:{edge.port}")
    visitor.press()
    visitor.expect_state("ended")
    visitor.expect_words("This page is not secure", "https")
    visitor.page.close()


def test_another_sites_page_reaches_the_edge_that_served_the_script(
    chromium: Browser, edge: FakeEdge, bot: Page
) -> None:
    del bot
    with serve_fake_edge() as shop:
        shop.page_headers["content-security-policy"] = (
            f"default-src 'self' {edge.url} ws://127.0.0.1:{edge.port}"
        )
        context = chromium.new_context(permissions=["microphone"])
        visitor = Visitor(context.new_page())
        visitor.page.goto(f"{shop.url}/bare?script={edge.url}&site=bikes&label=Call+the+shop")
        expect(visitor.page.get_by_role("button", name="Call the shop")).to_be_visible()
        edge.play(CallScript(refusal=Refusal(403, "origin_refused", "This page may not call.")))
        visitor.press()
        visitor.expect_words("This website may not make calls", "This page may not call.")
        edge.play(CallScript())
        visitor.call()
        context.close()
    assert edge.session_requests[-1] == {"origin": shop.url, "site": "bikes"}


def test_an_endpoint_that_makes_no_sense_says_so(chromium: Browser, edge: FakeEdge) -> None:
    visitor = Visitor(chromium.new_page())
    visitor.page.goto(f"{edge.url}/bare?endpoint=mailto:me")
    visitor.press()
    visitor.expect_state("ended")
    visitor.expect_words("The button is not set up", "endpoint")
    visitor.page.close()


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


@pytest.mark.parametrize(
    "leave",
    [
        "document.querySelector('talk-button').remove()",
        "void (location.href = '/icon.svg')",
    ],
)
def test_leaving_hangs_up(visitor: Visitor, edge: FakeEdge, bot: Page, leave: str) -> None:
    del bot
    visitor.call()
    visitor.page.evaluate(leave)
    assert edge.wait_for_report("bye")["reason"] == "closed"
    edge.wait_for_close()


def test_closing_the_tab_hangs_up(visitor: Visitor, edge: FakeEdge, bot: Page) -> None:
    del bot
    visitor.call()
    visitor.page.close(run_before_unload=True)
    edge.wait_for_close()


def test_moving_the_button_keeps_the_call(visitor: Visitor, edge: FakeEdge, bot: Page) -> None:
    del edge, bot
    visitor.call()
    visitor.page.evaluate("document.body.append(document.querySelector('talk-button'))")
    expect(visitor.page.get_by_role("timer")).to_have_text("0:01")
    visitor.expect_state("in-call")


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
        width = firefox.evaluate(f"getComputedStyle({shown}.parentNode).display")
        assert width == "flex", "the constructed style sheet was not applied"
