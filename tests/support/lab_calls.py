"""Calls from other people's networks: the whole stack at one end, a real browser at the other."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from support.browser import (
    arm_recorder,
    launch_chromium,
    launch_firefox,
    take_recording,
)
from support.listening import bursts, transcribe
from support.recording import Recording
from support.stack import Stack
from support.visitor import Visitor
from talkbutton.operate.natlab.lab import Lab
from talkbutton.operate.natlab.plan import SERVER_V4, SERVER_V4_OTHER

__all__ = ["BrowserName", "LabCall", "call_from", "stack_in"]

BrowserName = Literal["chromium", "firefox"]

QUESTION = "what are your opening hours"
BASE_PORT = 20_000
CONNECT_DEADLINE_S = 40.0


@dataclass(frozen=True, slots=True)
class LabCall:
    """What became of a call.

    Attributes:
        visitor_heard: The captions of the visitor, as the bot understood them.
        bot_heard: What the browser played, transcribed.
        click_to_audio_ms: From the press to the bot's first sound, on the recording.
        stats: The browser's last report: the selected pair, round trip, loss.
    """

    visitor_heard: str
    bot_heard: str
    click_to_audio_ms: float | None
    stats: dict[str, Any]

    @property
    def is_question_understood(self) -> bool:
        """Whether the bot heard the visitor."""
        return "opening hours" in self.visitor_heard.lower()

    @property
    def is_answer_heard(self) -> bool:
        """Whether the visitor heard the bot; the machine that listens may miss a small word."""
        return {"open", "monday", "saturday"} <= set(self.bot_heard.split())

    @property
    def path(self) -> str:
        """Type of the visitor's selected candidate, and how it gets there."""
        transport = self.stats.get("relay_protocol") or self.stats.get("protocol")
        return f"{self.stats.get('local_candidate_type')}/{transport}"


@contextmanager
def stack_in(lab: Lab, folder: Path) -> Iterator[Stack]:
    """Run the whole stack at the server's end, with the page and TURN on ports 443 of their own."""
    stack = Stack.make(
        folder,
        BASE_PORT,
        host=SERVER_V4,
        inside=lab.inside("server", []),
        edge_port=443,
        turn=f'also_listen = ["{SERVER_V4_OTHER}:443"]',
    )
    stack.start()
    try:
        yield stack
    finally:
        assert stack.stop() == 0


def call_from(lab: Lab, stack: Stack, browser: BrowserName = "chromium") -> LabCall:
    """Press the button at the visitor's, ask a question, and hear the answer to its end."""
    with lab.entered("visitor"), _page(browser, stack) as page:
        visitor = Visitor.arrive(page, stack.url)
        arm_recorder(page)
        visitor.press()
        visitor.wait_for_state("in-call", deadline_s=CONNECT_DEADLINE_S)
        visitor.wait_for_bot_audible()
        visitor.wait_for_bot_silent()
        visitor.say(QUESTION)
        visitor.wait_for_caption("bot", "nine in the morning")
        visitor.wait_for_bot_silent()
        stats = dict(stack.wait_for_events("browser.stats")[-1].data)
        heard = take_recording(page)
        visitor.hang_up()
        visitor.wait_for_state("ended")
        return LabCall(
            visitor_heard=" ".join(visitor.captions("visitor")),
            bot_heard=transcribe(heard.bot, heard.rate_hz),
            click_to_audio_ms=_click_to_audio_ms(heard),
            stats=stats,
        )


@contextmanager
def _page(browser: BrowserName, stack: Stack) -> Iterator[Any]:
    if browser == "firefox":
        with launch_firefox(secure_hosts=[stack.host]) as page:
            yield page
        return
    with launch_chromium(secure_origins=[stack.url]) as chromium:
        context = chromium.new_context(bypass_csp=True)
        yield context.new_page()
        context.close()


def _click_to_audio_ms(heard: Recording) -> float | None:
    if heard.pressed_at_samples is None:
        return None
    after = heard.bot[heard.pressed_at_samples :]
    found = bursts(after, heard.rate_hz)
    return found[0].start_s * 1000 if found else None
