"""S4: the browser proves itself unasked, beside the page, and nobody has to click anything."""

import base64
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from support.button_page import Visitor
from support.fake_edge import CallScript, FakeEdge
from talkbutton.rules.admission import Solved, issue_challenge, verify_solution

pytestmark = [pytest.mark.e2e]

KEY = "k" * 32
NETWORK = "127.0.0.0/24"
ENDLESS = 20_000_000
"""Hashes that take any browser longer than a test."""


def make_proof(cost: int = 20_000) -> dict[str, Any]:
    proof = issue_challenge(
        "0" * 32,
        key=KEY,
        site="default",
        network=NETWORK,
        cost=cost,
        random_bytes=(2 * cost).to_bytes(16, "big"),  # the last number: all have to be tried
        now_unix=time.time(),
    )
    return asdict(proof)


def is_proof(solution: str) -> bool:
    verdict = verify_solution(
        solution, key=KEY, site="default", network=NETWORK, now_unix=time.time()
    )
    return isinstance(verdict, Solved)


def keep_picture(page: Page, name: str) -> None:
    folder = os.environ.get("TALKBUTTON_PICTURES")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png")


@pytest.mark.usefixtures("bot")
def test_a_proof_is_made_in_a_worker_and_the_call_begins(visitor: Visitor, edge: FakeEdge) -> None:
    edge.play(CallScript(challenge=make_proof()))
    with visitor.page.expect_worker() as worker:
        visitor.press()
    assert worker.value.url.startswith("blob:")
    visitor.expect_state("in-call")
    first, second = edge.session_requests
    assert "challenge" not in first
    assert is_proof(second["challenge"])
    visitor.page.wait_for_function("true")
    assert visitor.page.workers == []


def test_progress_is_in_words_and_a_press_cancels(visitor: Visitor, edge: FakeEdge) -> None:
    edge.play(CallScript(challenge=make_proof(ENDLESS)))
    with visitor.page.expect_worker() as worker:
        visitor.press()
    visitor.expect_state("connecting")
    visitor.expect_words("One moment, checking your browser", "This happens by itself.")
    button = visitor.page.locator("talk-button [part~=button]")
    expect(button).to_have_text("Cancel")
    keep_picture(visitor.page, "checking")
    with worker.value.expect_event("close"):
        visitor.press()
    visitor.expect_state("ended")
    assert len(edge.session_requests) == 1
    edge.play(CallScript(answers=False))
    visitor.press()
    visitor.expect_state("ringing")


def test_it_runs_while_the_microphone_is_asked_for(chromium: Browser, edge: FakeEdge) -> None:
    edge.play(CallScript(challenge=make_proof()))
    context = chromium.new_context(permissions=["microphone"])
    page = context.new_page()
    page.add_init_script(
        """const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async (wanted) => {
          await new Promise((resolve) => { window.allowMicrophone = resolve; });
          return ask(wanted);
        };"""
    )
    page.goto(edge.url)
    visitor = Visitor(page)
    asks_again = lambda answer: answer.status == 201  # noqa: E731
    with page.expect_response(asks_again):
        visitor.press()
    visitor.expect_state("asking")
    visitor.expect_words("May we hear you?")
    edge.play(CallScript(answers=False))
    page.evaluate("allowMicrophone()")
    visitor.expect_state("ringing")
    context.close()


@contextmanager
def strict_page(chromium: Browser, edge: FakeEdge) -> Iterator[tuple[Visitor, list[str]]]:
    """A page whose policy allows no worker at all."""
    edge.page_headers["content-security-policy"] = (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"media-src 'self' blob:; connect-src 'self' ws://127.0.0.1:{edge.port}; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    context = chromium.new_context(permissions=["microphone"])
    page = context.new_page()
    workers: list[str] = []
    page.on("worker", lambda worker: workers.append(worker.url))
    page.goto(edge.url)
    yield Visitor(page), workers
    context.close()


@pytest.mark.usefixtures("bot")
def test_a_strict_page_proves_it_in_slices(chromium: Browser, edge: FakeEdge) -> None:
    edge.play(CallScript(challenge=make_proof(200_000)))
    with strict_page(chromium, edge) as (visitor, workers):
        visitor.press()
        visitor.expect_state("in-call", timeout_s=20)
        assert workers == []
    assert is_proof(edge.session_requests[-1]["challenge"])


def test_a_strict_page_can_cancel_too(chromium: Browser, edge: FakeEdge) -> None:
    edge.play(CallScript(challenge=make_proof(ENDLESS)))
    with strict_page(chromium, edge) as (visitor, workers):
        visitor.press()
        visitor.expect_state("connecting")
        visitor.expect_words("One moment, checking your browser")
        visitor.press()
        visitor.expect_state("ended")
        assert workers == []
    assert len(edge.session_requests) == 1


# Providers: their scripts, played by the shortest ones with the same functions.

SCRIPTS = {
    "turnstile": (
        "https://challenges.cloudflare.com/turnstile/v0/api.js",
        """window.turnstile = { render(box, options) {
             box.textContent = 'widget'; window.asked = { ...options, slot: box.slot };
             setTimeout(() => options.callback('token-of-turnstile'), 20); } };""",
    ),
    "hcaptcha": (
        "https://js.hcaptcha.com/1/api.js",
        """window.hcaptcha = {
             render(box, options) { window.asked = { ...options, slot: box.slot }; return 7; },
             execute(id) {
               setTimeout(() => id === 7 && asked.callback('token-of-hcaptcha'), 20); } };""",
    ),
    "recaptcha": (
        "https://www.google.com/recaptcha/api.js",
        """window.grecaptcha = {
             ready(callback) { callback(); },
             execute(key, options) { window.asked = { sitekey: key, ...options };
                                     return Promise.resolve('token-of-recaptcha'); } };""",
    ),
}


@contextmanager
def page_of_provider(
    chromium: Browser, edge: FakeEdge, kind: str, *, is_reachable: bool = True
) -> Iterator[tuple[Visitor, list[str]]]:
    address, script = SCRIPTS[kind]
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        if not is_reachable:
            route.abort()
            return
        ready = "window.talkbuttonProviderReady();"
        route.fulfill(body=script + ready, content_type="text/javascript")

    host = "/".join(address.split("/")[:3])
    edge.page_headers["content-security-policy"] = (
        f"default-src 'none'; script-src 'self' {host}; style-src 'self'; img-src 'self' data:; "
        f"media-src 'self' blob:; connect-src 'self' ws://127.0.0.1:{edge.port}"
    )
    challenge = {"kind": kind, "site_key": "site-key", "version": 3}
    edge.play(CallScript(challenge=challenge, answers=False))
    context = chromium.new_context(permissions=["microphone"])
    page = context.new_page()
    page.route(f"{host}/**", answer)
    page.goto(edge.url)
    yield Visitor(page), asked
    context.close()


@pytest.mark.parametrize("kind", SCRIPTS)
def test_a_providers_script_is_loaded_only_when_the_edge_asks(
    chromium: Browser, edge: FakeEdge, kind: str
) -> None:
    with page_of_provider(chromium, edge, kind) as (visitor, asked):
        assert asked == []
        visitor.press()
        visitor.expect_state("ringing")
        assert edge.session_requests[-1]["challenge"] == f"token-of-{kind}"
        assert len(asked) == 1
        assert asked[0].startswith(SCRIPTS[kind][0])
        options = json.loads(visitor.page.evaluate("JSON.stringify(asked)"))
        assert options["sitekey"] == "site-key"
        assert options.get("action", "talkbutton") == "talkbutton"
        left = visitor.page.evaluate("document.querySelector('talk-button').children.length")
        assert left == 0, "the widget is put away"


def test_a_blocked_provider_says_so(chromium: Browser, edge: FakeEdge) -> None:
    with page_of_provider(chromium, edge, "turnstile", is_reachable=False) as (visitor, _):
        visitor.press()
        visitor.expect_state("ended")
        visitor.expect_words("Your browser could not be checked")


def test_a_refused_proof_has_the_edges_own_words(visitor: Visitor, edge: FakeEdge) -> None:
    unknown = base64.b64encode(b"?").decode()
    edge.play(CallScript(challenge={"kind": "puzzle", "salt": unknown}))
    visitor.press()
    visitor.expect_state("ended")
    visitor.expect_words("Your browser could not be checked", "Prove it.")
