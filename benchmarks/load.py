"""What a call costs: CPU of each part per call and its memory, at 1, 10 and 50 echo calls.

One page carries all buttons, each with its own peer connection, and speech in the microphone. CPU
is what the kernel counted for each part's processes over ten seconds, as a share of one core;
memory is proportional set size. The browser runs on the same two cores: when it starves, the
number of calls that were in call at the end says so.

    python benchmarks/load.py [--calls 1 10 50] [--json]
"""

import argparse
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

from playwright.sync_api import Browser

from support.browser import launch_chromium
from support.stack import Stack, wait_until
from support.visitor import Visitor, write_microphone
from talkbutton.operate.stack.parts import PARTS

BASE_PORT = 22_000
WINDOW_S = 10.0
SPEECH = "I would like to book an appointment for Tuesday at three"

_ADD = """(count) => {
  const element = document.querySelector('talk-button');
  window.talkbuttonLoad = [...Array(count)].map(() => {
    const more = element.cloneNode();
    more.style.display = 'none';
    document.body.append(more);
    more.press();
    return more;
  });
}"""
_IN_CALL = "() => window.talkbuttonLoad.filter((one) => one.callState.name === 'in-call').length"
_END = "() => window.talkbuttonLoad.forEach((one) => one.remove())"


def processes_of(stack: Stack, part: str) -> list[psutil.Process]:
    """Return a part's processes; none for a part that does not run."""
    pid = stack.part_pid(part)
    if pid == 0:
        return []
    top = psutil.Process(pid)
    return [top, *top.children(recursive=True)]


def cpu_s(processes: list[psutil.Process]) -> float:
    """Return the CPU seconds that the processes have used."""
    times = [process.cpu_times() for process in processes]
    return sum(spent.user + spent.system for spent in times)


def measure(browser: Browser, stack: Stack, speech: Path, calls: int) -> dict[str, Any]:
    """Return CPU and memory of each part while so many calls run."""
    page = browser.new_context(bypass_csp=True).new_page()
    visitor = Visitor.arrive(page, stack.url)
    page.evaluate(_ADD, calls)
    wait_until(
        f"{calls} calls are in call", lambda: page.evaluate(_IN_CALL) == calls, deadline_s=90
    )
    parts = {part.name: processes_of(stack, part.name) for part in PARTS}
    parts = {name: processes for name, processes in parts.items() if processes}
    before = {name: cpu_s(processes) for name, processes in parts.items()}
    started = time.monotonic()
    visitor.play(speech)  # as long as the window
    took_s = time.monotonic() - started
    rows = {
        name: {
            "cpu_percent_per_call": round((cpu_s(p) - before[name]) / took_s * 100 / calls, 2),
            "memory_mb": round(sum(one.memory_full_info().pss for one in p) / 1e6),
        }
        for name, p in parts.items()
    }
    still = page.evaluate(_IN_CALL)
    page.evaluate(_END)
    stack.wait_for_nothing_left(deadline_s=30)
    page.context.close()
    return {"calls": calls, "in_call_at_end": still, "parts": rows}


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
        console.print(f"{result['in_call_at_end']} of {result['calls']} still in call at the end")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 10, 50])
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="talkbutton-bench-") as folder:
        script = [(0.2, SPEECH), (3.6, SPEECH), (7.0, SPEECH)]
        speech = write_microphone(Path(folder) / "speech.wav", script, length_s=WINDOW_S)
        stack = Stack.make(Path(folder), BASE_PORT, bot='kind = "echo"')
        stack.start()
        try:
            with launch_chromium() as browser:
                results = [measure(browser, stack, speech, calls) for calls in chosen.calls]
        finally:
            stack.stop()
    if chosen.json:
        print(json.dumps(results))
    else:
        show(results)


if __name__ == "__main__":
    main()
