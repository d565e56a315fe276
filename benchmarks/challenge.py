"""What a proof of work costs: the edge, node, and Chromium with the real button.

    python benchmarks/challenge.py

The number to find is always the mean one, so that a row is what a visitor waits in the mean; the
unluckiest waits twice as long. Chromium's times are the page's own: from the answer that asks for
work to the request that brings it, once in a worker and once, as on a page with a strict
Content-Security-Policy, in slices on the page's thread.
"""

import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from playwright.sync_api import Browser

from support.browser import launch_chromium
from support.fake_edge import CallScript, FakeEdge, serve_fake_edge
from support.proof import pack_solution
from talkbutton.rules.admission import Crowd, issue_challenge, strain, verify_solution

COSTS = (20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000)
RUNS = 5
KEY = "k" * 32
NETWORK = "127.0.0.0/24"

_NODE = """
import { readFileSync } from 'node:fs';
import { transformWithOxc } from 'vite';
const { code } = await transformWithOxc(readFileSync('src/search.ts', 'utf8'), 'search.ts');
const { makeSearch } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
const times = JSON.parse(process.argv[1]).map((proofs) => proofs.map((proof) => {
  const began = performance.now();
  if (makeSearch(proof.salt, proof.challenge)(0, proof.maxnumber + 1) < 0) throw new Error('none');
  return performance.now() - began;
}));
console.log(JSON.stringify(times));
"""

_WAITED_MS = """() => {
  const asked = performance.getEntriesByType('resource')
    .filter(({ name }) => name.endsWith('/v1/sessions'));
  return asked[1].startTime - asked[0].responseEnd;
}"""

_STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self' blob:; connect-src 'self' ws:"
)


def make_proof(cost: int) -> dict[str, Any]:
    """Return a challenge whose number is the mean one."""
    proof = issue_challenge(
        f"{time.time_ns():032x}",
        key=KEY,
        site="default",
        network=NETWORK,
        cost=cost,
        random_bytes=cost.to_bytes(16, "big"),
        now_unix=time.time(),
    )
    return asdict(proof)


def cost_us(work: Callable[[], object], *, runs: int = 20_000) -> float:
    """Return the mean time of ``work``."""
    began = time.perf_counter()
    for _ in range(runs):
        work()
    return (time.perf_counter() - began) / runs * 1e6


def print_edge() -> None:
    """Print what a challenge costs the edge."""
    proof = make_proof(20_000)
    good = pack_solution(proof, number=20_000)
    forged = pack_solution(proof, number=20_000, signature="0" * 64)
    now_unix = time.time()

    def verify(text: str) -> object:
        return verify_solution(text, key=KEY, site="default", network=NETWORK, now_unix=now_unix)

    crowd = Crowd()
    for number in range(30_000):
        crowd.note(f"10.{number >> 8 & 255}.{number & 255}.1", 1.0, now=0.0)

    def press() -> None:
        strain(crowd.levels("192.0.2.7", now=1.0), 0.0, sessions_per_minute=600)
        crowd.note("192.0.2.7", 1.0, now=1.0)

    print("edge, microseconds")
    print(f"  issue a challenge    {cost_us(lambda: make_proof(20_000)):6.1f}")
    print(f"  verify a good proof  {cost_us(lambda: verify(good)):6.1f}")
    print(f"  refuse a forged one  {cost_us(lambda: verify(forged)):6.1f}")
    print(f"  weigh the pressure   {cost_us(press):6.1f}")


def node_ms() -> list[list[float]]:
    """Return the times in node, a list for each cost."""
    proofs = [[make_proof(cost) for _ in range(RUNS)] for cost in COSTS]
    node = shutil.which("node")
    assert node is not None, "node is not installed"
    done = subprocess.run(
        [node, "--input-type=module", "-e", _NODE, json.dumps(proofs)],
        cwd=ROOT / "web/button",
        check=True,
        capture_output=True,
        text=True,
    )
    times: list[list[float]] = json.loads(done.stdout)
    return times


def chromium_ms(browser: Browser, edge: FakeEdge, cost: int) -> float:
    """Return how long one visitor waits for the proof in a fresh page."""
    edge.play(CallScript(challenge=make_proof(cost), answers=False))
    context = browser.new_context(permissions=["microphone"])
    page = context.new_page()
    page.goto(edge.url)
    page.locator("talk-button [part~=button]").click()
    page.wait_for_selector("talk-button[state=ringing]", timeout=60_000)
    waited_ms = float(page.evaluate(_WAITED_MS))
    context.close()
    return waited_ms


def main() -> None:
    """Print all figures."""
    print_edge()
    columns = {"node": node_ms()}
    with launch_chromium(answers_prompt=False) as browser, serve_fake_edge() as edge:
        for name, policy in (("worker", None), ("slices", _STRICT)):
            if policy is not None:
                edge.page_headers["content-security-policy"] = policy
            columns[name] = [
                [chromium_ms(browser, edge, cost) for _ in range(RUNS)] for cost in COSTS
            ]
    print("\nmean work, milliseconds: median (range)")
    print("    hashes " + "".join(f"{name:>24}" for name in columns))
    for row, cost in enumerate(COSTS):
        cells = (
            f"{statistics.median(times[row]):8.0f} ({min(times[row]):.0f} to {max(times[row]):.0f})"
            for times in columns.values()
        )
        print(f"{cost:>10,} " + "".join(f"{cell:>24}" for cell in cells))


if __name__ == "__main__":
    main()
