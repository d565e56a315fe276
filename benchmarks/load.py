"""What a call costs: CPU of each part per call and its memory, at 1, 10 and 50 echo calls.

One page carries all calls, each with its own session, socket and peer connection, with speech in
the microphone. CPU is what the kernel counted for each part's processes over ten seconds, as a
share of one core; memory is proportional set size. The browser runs on the same cores and costs
more than all parts together: the share of packets that came back says whether the calls were
whole, and fewer calls than wanted are measured and said where no more could be had.

    python benchmarks/load.py [--calls 1 10 50] [--codec opus|PCMU] [--json]
"""

import argparse
import base64
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from playwright.sync_api import Browser, Page

from support.browser import launch_chromium
from support.stack import Stack, wait_until
from support.visitor import write_microphone

BASE_PORT = 22_000
WINDOW_S = 10.0
SPEECH = "I would like to book an appointment for Tuesday at three"

_CALLERS = Path(__file__).parents[1] / "tests" / "support" / "plain_callers.js"
_ADD = "() => window.talkbuttonCallers.add()"
_IN_CALL = "() => window.talkbuttonCallers.inCall()"
_RECEIVED = "() => window.talkbuttonCallers.packetsReceived()"
_END = "() => window.talkbuttonCallers.end()"
_PACKETS_PER_S = 50


def processes_of(stack: Stack, part: str) -> list[psutil.Process]:
    """Return a part's processes: its sandbox and what runs inside."""
    top = psutil.Process(stack.part_pid(part))
    return [top, *top.children(recursive=True)]


def cpu_s(processes: list[psutil.Process]) -> float:
    """Return the CPU seconds that the processes have used."""
    times = [process.cpu_times() for process in processes]
    return sum(spent.user + spent.system for spent in times)


def add_calls(page: Page, wanted: int) -> int:
    """Add calls one by one until so many are connected; return how many could be had."""
    for number in range(1, wanted + 1):
        page.evaluate(_ADD)
        try:
            wait_until(
                f"call {number} is connected",
                lambda number=number: page.evaluate(_IN_CALL) >= number,
                deadline_s=15,
            )
        except AssertionError:
            return int(page.evaluate(_IN_CALL))
    return wanted


def measure(
    browser: Browser, stack: Stack, speech: Path, codec: str, wanted: int
) -> dict[str, Any]:
    """Return CPU and memory of each part while so many calls run."""
    page = browser.new_context(bypass_csp=True).new_page()
    page.goto(stack.url)
    page.evaluate(_CALLERS.read_text(), [base64.b64encode(speech.read_bytes()).decode(), codec])
    calls = add_calls(page, wanted)
    parts = {part: processes_of(stack, part) for part in stack.parts()}
    received = sum(page.evaluate(_RECEIVED))
    before = {name: cpu_s(processes) for name, processes in parts.items()}
    started = time.monotonic()
    time.sleep(WINDOW_S)
    took_s = time.monotonic() - started
    rows = {
        name: {
            "cpu_percent_per_call": round((cpu_s(p) - before[name]) / took_s * 100 / calls, 2),
            "memory_mb": round(sum(one.memory_full_info().pss for one in p) / 1e6),
        }
        for name, p in parts.items()
    }
    came = sum(page.evaluate(_RECEIVED)) - received
    page.evaluate(_END)
    stack.wait_for_nothing_left(deadline_s=30)
    page.context.close()
    return {
        "calls_wanted": wanted,
        "calls": calls,
        "packets_received_percent": round(came / (took_s * calls * _PACKETS_PER_S) * 100, 1),
        "parts": rows,
    }


def show(results: list[dict[str, Any]]) -> None:
    """Print one table: a row a part, two columns a number of calls."""
    table = Table("part")
    for result in results:
        table.add_column(f"{result['calls']} calls: % of a core per call", justify="right")
        table.add_column("MB", justify="right")
    for part in results[0]["parts"]:
        cells = []
        for result in results:
            row = result["parts"][part]
            cells += [f"{row['cpu_percent_per_call']:.2f}", str(row["memory_mb"])]
        table.add_row(part, *cells)
    console = Console()
    console.print(table)
    for result in results:
        console.print(
            f"{result['calls']} of {result['calls_wanted']} calls connected, "
            f"{result['packets_received_percent']} % of their packets came back"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 10, 50])
    parser.add_argument("--codec", choices=["opus", "PCMU"], default="opus")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="talkbutton-bench-") as folder:
        script = [(0.2, SPEECH), (3.4, SPEECH), (6.6, SPEECH)]
        speech = write_microphone(Path(folder) / "speech.wav", script, length_s=WINDOW_S)
        stack = Stack.make(Path(folder), BASE_PORT, bot='kind = "echo"')
        stack.start()
        try:
            with launch_chromium() as browser:
                results = [
                    measure(browser, stack, speech, chosen.codec, calls) for calls in chosen.calls
                ]
        finally:
            stack.stop()
    if chosen.json:
        print(json.dumps(results))
    else:
        show(results)


if __name__ == "__main__":
    main()
