"""What the talk button says when something is wrong, and that the next press works."""

import pytest
from playwright.sync_api import Browser, Page, expect

from support.browser import launch_chromium
from support.button_page import BREAK_PEER, Visitor, open_bot
from support.fake_edge import CallScript, FakeEdge, Refusal, serve_fake_edge

pytestmark = pytest.mark.e2e


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
