"""The way there and back through the whole chain, against Janus's own echo, in one run.

Short tones go into the microphone of a page. The whole chain is browser, Janus, Asterisk, bridge,
the echo bot, and all the way back; the yardstick is the same page and network with Janus's echo
test. Both are read off recordings whose two sides are on one clock; what the chain behind Janus
costs is the difference.

    python benchmarks/echo.py [--calls 10] [--json]
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.progress import track

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from playwright.sync_api import Browser

from support.browser import Recording, arm_recorder, launch_chromium, take_recording
from support.listening import bursts
from support.stack import Stack
from support.visitor import MICROPHONE_RATE_HZ, Visitor, write_wav
from talkbutton.protocols.janus import JanusLogin

BASE_PORT = 21_000
TONE_HZ = 900
TONES = 6
TONE_S = 0.1
EVERY_S = 0.7

JANUS_ECHO = Path(__file__).parents[1] / "tests" / "support" / "janus_echo.js"


def write_tones(path: Path) -> Path:
    """Write tones of 100 ms, far enough apart that each echo ends before the next tone."""
    samples = np.zeros(int(TONES * EVERY_S * MICROPHONE_RATE_HZ), np.float32)
    times = np.arange(int(TONE_S * MICROPHONE_RATE_HZ)) / MICROPHONE_RATE_HZ
    tone = (0.5 * np.sin(2 * np.pi * TONE_HZ * times)).astype(np.float32)
    for number in range(TONES):
        start = int((number + 0.5) * EVERY_S * MICROPHONE_RATE_HZ)
        samples[start : start + len(tone)] = tone
    return write_wav(path, samples)


def round_trip_ms(recording: Recording) -> float:
    """Return the median time from a tone's onset to its echo's."""
    went = [b.start_s for b in bursts(recording.microphone, recording.rate_hz, gap_ms=200)]
    came = [b.start_s for b in bursts(recording.bot, recording.rate_hz, gap_ms=200)]
    trips = [
        min(back - out for back in came if back > out) * 1000
        for out in went
        if any(out < back < out + EVERY_S for back in came)
    ]
    assert len(trips) >= TONES - 1, f"{len(went)} tones went, {len(came)} came back"
    return statistics.median(trips)


def measure_chain(browser: Browser, stack: Stack, tones: Path) -> float:
    """Return the round trip of one call, in milliseconds."""
    page = browser.new_context(bypass_csp=True).new_page()
    visitor = Visitor.arrive(page, stack.url)
    arm_recorder(page)
    visitor.press()
    visitor.wait_for_state("in-call")
    visitor.play(tones)
    recording = take_recording(page)
    visitor.hang_up()
    visitor.wait_for_state("ended")
    page.context.close()
    stack.wait_for_nothing_left()
    return round_trip_ms(recording)


def measure_janus(browser: Browser, stack: Stack, tones: Path) -> float:
    """Return the round trip of Janus's echo test, in milliseconds."""
    page = browser.new_context(bypass_csp=True).new_page()
    visitor = Visitor.arrive(page, stack.url)
    arm_recorder(page)
    address = f"ws://127.0.0.1:{stack.base + 3}"
    keys = (stack.secret("janus_api_secret"), stack.secret("janus_token_secret"))
    login = JanusLogin(*keys).fields(now_unix=int(time.time()), plugin="janus.plugin.echotest")
    page.evaluate(JANUS_ECHO.read_text(), [address, login])
    visitor.play(tones)
    recording = take_recording(page)
    page.context.close()
    return round_trip_ms(recording)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    chain, janus = [], []
    with tempfile.TemporaryDirectory(prefix="talkbutton-bench-") as folder:
        tones = write_tones(Path(folder) / "tones.wav")
        stack = Stack.make(Path(folder), BASE_PORT, bot='kind = "echo"')
        stack.start("--with-echotest")
        try:
            with launch_chromium() as browser:
                for _ in track(range(chosen.calls), "pairs of calls", disable=chosen.json):
                    chain.append(measure_chain(browser, stack, tones))
                    janus.append(measure_janus(browser, stack, tones))
        finally:
            stack.stop()
    summary = {
        "whole_chain_ms": round(statistics.median(chain)),
        "janus_echo_ms": round(statistics.median(janus)),
        "ratio": round(statistics.median(c / j for c, j in zip(chain, janus, strict=True)), 2),
    }
    print(
        json.dumps(summary) if chosen.json else "\n".join(f"{k:16} {v}" for k, v in summary.items())
    )


if __name__ == "__main__":
    main()
