"""How an edge fares in a flood: 2,000 session requests a second from 500 addresses, for 30 s.

    python benchmarks/flood.py [SECONDS [RATE]]

Everything is on this machine, attackers included: they take their share of its cores.
"""

import os
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / name) for name in ("src", "tests")]

from support.flood import flood, flooded_edge


def main() -> None:
    """Flood once, and print what became of it."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    rate_hz = float(sys.argv[2]) if len(sys.argv) > 2 else 2_000.0
    with tempfile.TemporaryDirectory() as folder, flooded_edge(Path(folder)) as (port, process):
        memory, before = process.memory_info().rss, process.cpu_times()
        result = flood(port, rate_hz=rate_hz, seconds=seconds)
        after = process.cpu_times()
        grown_mb = (process.memory_info().rss - memory) / 1e6
    cpu_s = after.user + after.system - before.user - before.system
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"sent {result.sent / result.seconds:,.0f} a second for {result.seconds:.0f} s")
    print(f"answers to attackers {result.statuses}, most grants to one {result.granted_to_one_max}")
    print(f"honest visitors {result.honest}, granted {result.honest_granted}")
    for percent in (50, 90, 95, 99):
        print(f"honest p{percent} {result.percentile_ms(percent):,.0f} ms")
    print(f"edge: CPU {cpu_s / result.seconds:.0%} of a core, memory +{grown_mb:.0f} MB")
    print(f"load of this machine {load} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
