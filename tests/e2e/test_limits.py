"""S2 S3: what a real call holds on the ledger, and how an edge that dies or an operator ends it."""

import json
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Page

from support.browser import launch_chromium
from support.stack import Stack, wait_until
from support.visitor import Visitor

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

LEASE_S = 5
HOUR_S = 3_600


@pytest.fixture(scope="module")
def narrow_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that gives one call at once to one address."""
    only_one = "calls_per_address = 1"
    stack = Stack.make(
        tmp_path_factory.mktemp("narrow"), 20_000, bot='kind = "echo"', limits=only_one
    )
    with (stack.folder / "talkbutton.toml").open("a") as settings:
        settings.write(f"[limits]\nlease_s = {LEASE_S}\n")
    stack.start()
    try:
        yield stack
    finally:
        assert stack.stop() == 0


@pytest.fixture
def page() -> Iterator[Page]:
    with launch_chromium() as browser:
        yield browser.new_page()


def held(stack: Stack) -> dict[str, float]:
    """Return what is held now, as seconds until its end, by key."""
    path = stack.folder / ".talkbutton" / "state" / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as ledger:
        rows = ledger.execute("SELECT key, until_unix FROM holds").fetchall()
    now = time.time()
    return {key: until_unix - now for key, until_unix in rows if until_unix > now}


def ask(stack: Stack) -> str:
    """Ask for a session beside the browser; return its refusal's code, or ``ok``."""
    request = urllib.request.Request(
        f"{stack.url}/v1/sessions",
        data=b"{}",
        headers={"Origin": stack.url, "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10):
            return "ok"
    except urllib.error.HTTPError as refused:
        return str(json.load(refused)["code"])
    except OSError:
        return "nobody answers"


def in_call(page: Page, stack: Stack) -> Visitor:
    wait_until("the address is free", lambda: not calls_held(stack), deadline_s=70)
    visitor = Visitor.arrive(page, stack.url)
    visitor.press()
    visitor.wait_for_state("in-call", deadline_s=30)
    visitor.begin_to_say("I would like to book an appointment for Tuesday at three")
    visitor.wait_for_bot_audible()
    return visitor


def calls_held(stack: Stack) -> list[str]:
    return [key for key in held(stack) if key.startswith(("calls:", "call:"))]


def hours_held(stack: Stack) -> list[float]:
    return [left_s for key, left_s in held(stack).items() if key.startswith("hour:")]


def test_a_call_with_sound_counts_for_its_hour_and_frees_its_place(
    narrow_stack: Stack, page: Page
) -> None:
    visitor = in_call(page, narrow_stack)
    assert len(calls_held(narrow_stack)) == 4
    assert ask(narrow_stack) == "address_calls"
    wait_until(
        "Janus heard the visitor: the call counts for the hour",
        lambda: max(hours_held(narrow_stack)) > HOUR_S - 60,
        deadline_s=LEASE_S,
    )
    visitor.hang_up()
    visitor.wait_for_state("ended")
    wait_until("its place is free", lambda: not calls_held(narrow_stack), deadline_s=5)
    assert max(hours_held(narrow_stack)) > HOUR_S - 60


def test_the_operator_ends_a_call(narrow_stack: Stack, page: Page) -> None:
    visitor = in_call(page, narrow_stack)
    call_id = narrow_stack.events_of_latest_call()[0].call_id
    assert narrow_stack.run("calls", "end", call_id[:14]) == "ended\n"
    visitor.wait_for_state("ended")
    narrow_stack.wait_for_nothing_left()
    ends = narrow_stack.wait_for_events("call.ended", 2)
    assert {end.data["cause"] for end in ends} == {"operator_hung_up"}
    narrow_stack.wait_for_events("grant.revoked")


def test_an_edge_killed_in_mid_call_frees_its_place_within_the_lease(
    narrow_stack: Stack, page: Page
) -> None:
    in_call(page, narrow_stack)
    narrow_stack.kill_part("edge")
    assert len(calls_held(narrow_stack)) == 4  # nobody was there to give them back
    wait_until("its place is free", lambda: not calls_held(narrow_stack), deadline_s=LEASE_S + 1)
    wait_until("the new edge gives it", lambda: ask(narrow_stack) == "ok", deadline_s=20)
    narrow_stack.wait_for_nothing_left()


_NO_MICROPHONE = """() => {
  const no = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
  navigator.mediaDevices.getUserMedia = no;
}"""


def test_who_refuses_the_microphone_may_press_again_at_once(
    narrow_stack: Stack, page: Page
) -> None:
    wait_until("the address is free", lambda: not calls_held(narrow_stack), deadline_s=70)
    visitor = Visitor.arrive(page, narrow_stack.url, speaks=False)
    page.evaluate(_NO_MICROPHONE)
    for _ in range(3):
        visitor.press()
        visitor.wait_for_state("ended")
        assert visitor.end_code() == "mic-denied"
        wait_until("the grant is given back", lambda: not calls_held(narrow_stack), deadline_s=5)
    assert ask(narrow_stack) == "ok"
