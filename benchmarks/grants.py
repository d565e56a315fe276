"""Grants per second and core, and their latency, through a real edge process, for each ledger.

One edge process serves; this process asks over kept connections, so many at a time. Per core means:
divided by the CPU seconds that the edge itself used (the kernel's count), because the asking shares
the machine. No session is given back: 600 are as many as the default limits let a ledger hold.
SQLite and Redis are also measured with two edges that share the ledger.

    python benchmarks/grants.py [--requests 600] [--at-once 16] [--json]
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.edge_process import EdgeProcess, many_calls, running_edges
from support.edge_rig import ORIGIN
from support.redis_server import redis_server
from talkbutton.settings.model import LimitsSettings

RUNS = (("memory", 1), ("sqlite", 1), ("redis", 1), ("sqlite", 2), ("redis", 2))
_PLENTY = {
    "calls_per_address": 1_000_000,
    "calls_per_address_and_hour": 1_000_000,
    "calls_max": 1_000_000,
}


@contextmanager
def limits_of(store: str, folder: Path) -> Iterator[LimitsSettings]:
    """Yield settings for the store, with a Redis of its own where it needs one."""
    if store != "redis":
        yield LimitsSettings.model_validate({"store": store})
        return
    with redis_server(folder) as server:
        yield LimitsSettings(store="redis", redis_url=server.url)


class Asker:
    """One kept connection: what httpx would spend on a request is more than the edge does."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._body = b'{"site":"default"}'
        self._head = (
            f"POST /v1/sessions HTTP/1.1\r\nHost: edge\r\nOrigin: {ORIGIN}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(self._body)}\r\n\r\n"
        ).encode()

    async def run(self, count: int, latencies_s: list[float]) -> None:
        """Ask so often, one after the other."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        for _ in range(count):
            started = time.perf_counter()
            writer.write(self._head + self._body)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 201"), head
            lines = head.lower().split(b"\r\n")
            [length] = [line for line in lines if line.startswith(b"content-length:")]
            await reader.readexactly(int(length.partition(b":")[2]))
            latencies_s.append(time.perf_counter() - started)
        writer.close()
        await writer.wait_closed()


def cpu_s(edges: list[EdgeProcess]) -> float:
    """Return the CPU seconds that the edges have used."""
    times = [psutil.Process(edge.process.pid).cpu_times() for edge in edges]
    return sum(used.user + used.system for used in times)


async def measure(store: str, count: int, requests: int, at_once: int) -> dict[str, Any]:
    """Return the figures of one store with so many edges."""
    with tempfile.TemporaryDirectory(prefix="talkbutton-bench-") as name:
        folder = Path(name)
        with limits_of(store, folder) as limits:
            async with running_edges(folder, many_calls(limits, **_PLENTY), count) as edges:
                latencies_s: list[float] = []
                await Asker(edges[0].port).run(50, [])  # the first are slower: imports, caches
                used_s, started = cpu_s(edges), time.perf_counter()
                async with asyncio.TaskGroup() as tasks:
                    for number in range(at_once):
                        asker = Asker(edges[number % count].port)
                        tasks.create_task(asker.run(requests // at_once, latencies_s))
                took_s = time.perf_counter() - started
                used_s = cpu_s(edges) - used_s
    latencies_s.sort()
    return {
        "store": store,
        "edges": count,
        "grants": len(latencies_s),
        "grants_per_s": round(len(latencies_s) / took_s),
        "grants_per_s_and_core": round(len(latencies_s) / used_s),
        "p50_ms": round(latencies_s[len(latencies_s) // 2] * 1000, 1),
        "p99_ms": round(latencies_s[int(len(latencies_s) * 0.99)] * 1000, 1),
    }


def show(results: list[dict[str, Any]]) -> None:
    """Print one table, a row a run."""
    table = Table(*results[0])
    for result in results:
        table.add_row(*(str(value) for value in result.values()))
    Console().print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    results = [
        asyncio.run(measure(store, count, chosen.requests, chosen.at_once)) for store, count in RUNS
    ]
    if chosen.json:
        print(json.dumps(results))
    else:
        show(results)


if __name__ == "__main__":
    main()
