"""From which networks can a visitor talk with the bot? A real call from each, as a table.

A cell passes when the bot understood the question and the browser played the answer, both judged
by machine. What cannot work says why. Needs root. `make natlab`; one cell:
``python benchmarks/networks.py --network symmetric --browser firefox``.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.lab_calls import BrowserName, LabCall, call_from, stack_in
from talkbutton.operate.natlab.lab import running_lab
from talkbutton.operate.natlab.network import NETWORKS, Network

BROWSERS: tuple[BrowserName, ...] = ("chromium", "firefox")


def try_call(network: Network, browser: BrowserName) -> LabCall | str:
    """Call from a network; return the call, or in a few words why there was none."""
    with tempfile.TemporaryDirectory(prefix="net") as folder, running_lab(network) as lab:
        try:
            with stack_in(lab, Path(folder)) as stack:
                return call_from(lab, stack, browser)
        except Exception as exc:  # noqa: BLE001 - a cell that fails is a result
            return f"{type(exc).__name__}: {str(exc).splitlines()[0][:60]}"


def row(network: Network, browser: BrowserName, found: LabCall | str) -> str:
    """Return a line of the table."""
    if isinstance(found, str):
        return f"| {network.name} | {browser} | no | {found} | | | | |"
    heard_by_bot = "yes" if found.is_question_understood else "no"
    heard_by_visitor = "yes" if found.is_answer_heard else "no"
    to_audio = "" if found.click_to_audio_ms is None else f"{found.click_to_audio_ms:.0f}"
    round_trip = found.stats.get("rtt_ms")
    return (
        f"| {network.name} | {browser} | yes | {found.path} | {to_audio} | {round_trip} | "
        f"{heard_by_bot} | {heard_by_visitor} |"
    )


def main() -> None:
    """Fill the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=NETWORKS, action="append")
    parser.add_argument("--browser", choices=BROWSERS, action="append")
    chosen = parser.parse_args()
    print(
        "| network | browser | connected | path | click to bot audio, ms | round trip, ms |", end=""
    )
    print(" bot heard visitor | visitor heard bot |")
    print("|---|---|---|---|---|---|---|---|")
    for name in chosen.network or NETWORKS:
        for browser in chosen.browser or BROWSERS:
            found = try_call(NETWORKS[name], browser)
            print(row(NETWORKS[name], browser, found), flush=True)


if __name__ == "__main__":
    main()
