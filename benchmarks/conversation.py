"""How fast a call feels, measured on the waveforms that a browser records.

Each call is one press of the button in Chromium. The visitor speaks over the greeting, so that one
call gives three figures: click to first bot audio; the visitor's onset to the bot's silence; the
end of the visitor's speech to the first audio of the answer. Both sides of the recording are on
one clock, the page's; nothing that a program reports of itself is used.

    python benchmarks/conversation.py [--calls 10] [--json]
"""

import argparse
import json
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.progress import track

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from playwright.sync_api import Browser

from support.browser import Recording, arm_recorder, launch_chromium, take_recording
from support.listening import bursts
from support.stack import Stack
from support.visitor import Visitor

QUESTION = "what are your opening hours"
BASE_PORT = 20_000


@dataclass(frozen=True, slots=True)
class Figures:
    """One call, in milliseconds."""

    click_to_bot_ms: float
    onset_to_silence_ms: float
    end_of_speech_to_answer_ms: float


def measure_call(browser: Browser, stack: Stack) -> Figures:
    """Make one call, speak over the greeting, and measure the recording."""
    page = browser.new_context(bypass_csp=True).new_page()
    visitor = Visitor.arrive(page, stack.url)
    arm_recorder(page)
    visitor.press()
    visitor.wait_for_state("in-call")
    visitor.wait_for_bot_audible(for_ms=1_500)
    visitor.say(QUESTION)
    stack.wait_for_events("bot.answered")
    visitor.wait_for_bot_audible(for_ms=300)
    recording = take_recording(page)
    visitor.hang_up()
    visitor.wait_for_state("ended")
    page.context.close()
    stack.wait_for_nothing_left()
    return figures_of(recording)


def figures_of(recording: Recording) -> Figures:
    """Read the three figures off one recording."""
    rate_hz = recording.rate_hz
    assert recording.pressed_at_samples is not None
    clicked_s = recording.pressed_at_samples / rate_hz
    speech = bursts(recording.microphone, rate_hz, gap_ms=600)[0]
    bot = bursts(recording.bot, rate_hz, gap_ms=200)
    before = [burst for burst in bot if burst.start_s < speech.end_s]
    after = [burst for burst in bot if burst.start_s > speech.end_s]
    assert before, "the greeting was not heard"
    assert after, "the answer was not heard"
    return Figures(
        click_to_bot_ms=(bot[0].start_s - clicked_s) * 1000,
        onset_to_silence_ms=(before[-1].end_s - speech.start_s) * 1000,
        end_of_speech_to_answer_ms=(after[0].start_s - speech.end_s) * 1000,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="talkbutton-bench-") as folder:
        stack = Stack.make(Path(folder), BASE_PORT)
        stack.start()
        try:
            with launch_chromium() as browser:
                measure_call(browser, stack)  # the first one warms the models
                calls = [
                    measure_call(browser, stack)
                    for _ in track(range(chosen.calls), "calls", disable=chosen.json)
                ]
        finally:
            stack.stop()
    rows = [asdict(call) for call in calls]
    summary = {
        name: {
            "min": round(min(row[name] for row in rows)),
            "median": round(statistics.median(row[name] for row in rows)),
            "max": round(max(row[name] for row in rows)),
        }
        for name in rows[0]
    }
    if chosen.json:
        print(json.dumps(summary))
        return
    for name, figures in summary.items():
        print(
            f"{name:28} min {figures['min']:5} median {figures['median']:5} max {figures['max']:5}"
        )


if __name__ == "__main__":
    main()
