"""The talk button in Chromium against a scripted edge: every state of a call."""

import re

import pytest
from playwright.sync_api import Page, expect

from support.button_page import BREAK_PEER, Visitor
from support.fake_edge import CallScript, FakeEdge

pytestmark = pytest.mark.e2e


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


def test_messages_that_make_no_sense_are_passed_over(
    visitor: Visitor, edge: FakeEdge, bot: Page
) -> None:
    del bot
    edge.play(CallScript(garbage=True))
    visitor.call()


def test_removing_it_from_the_page_hangs_up(visitor: Visitor, edge: FakeEdge, bot: Page) -> None:
    del bot
    visitor.call()
    visitor.page.evaluate("document.querySelector('talk-button').remove()")
    assert edge.wait_for_report("bye")["reason"] == "closed"
    edge.wait_for_close()


def test_leaving_the_page_hangs_up(visitor: Visitor, edge: FakeEdge, bot: Page) -> None:
    del bot
    visitor.call()
    visitor.page.goto(f"{edge.url}/icon.svg")
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
