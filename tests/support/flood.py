"""A flood on loopback: an edge in one process, 500 attackers and some honest visitors in another.

    python -m support.flood edge FOLDER LIMIT                  prints its port, until input ends
    python -m support.flood load PORT RATE SECONDS ATTACKERS   prints a ``FloodResult`` as JSON

Attackers are addresses 127.20.x.y with one kept connection each, which ask as fast as they are
told; honest visitors come from an address of their own each, five a second, on a new connection.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import psutil
import uvloop

from support.edge_rig import ORIGIN, SETTINGS, running_edge
from talkbutton.settings.model import (
    ChallengeSettings,
    LimitsSettings,
    Settings,
    SiteLimits,
    SiteSettings,
)

__all__ = ["FloodResult", "flood", "flooded_edge"]

ATTACKERS = 500
HONEST_A_SECOND = 5
_TICK_S = 0.01
_MANY = 1_000_000
_REQUEST = (
    f"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nOrigin: {ORIGIN}\r\n"
    "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
).encode()


@dataclass(frozen=True, slots=True)
class FloodResult:
    """What became of a flood.

    Attributes:
        seconds: How long it lasted.
        sent: Requests of attackers.
        statuses: Answers to attackers, by HTTP status.
        granted_to_one_max: Most grants that one attacker was given.
        honest: Honest visitors.
        honest_granted: Those who were given a grant.
        honest_ms: From their connecting to their answer, sorted.
    """

    seconds: float
    sent: int
    statuses: dict[str, int]
    granted_to_one_max: int
    honest: int
    honest_granted: int
    honest_ms: list[float]

    def percentile_ms(self, percent: float) -> float:
        """Return how long the slower ones of honest visitors wait."""
        return self.honest_ms[
            min(len(self.honest_ms) - 1, int(len(self.honest_ms) * percent / 100))
        ]


def settings(limit: int) -> Settings:
    """Return settings under which only how often one address may ask is limited."""
    limits = SiteLimits(
        calls_per_address=_MANY,
        calls_per_address_and_hour=_MANY,
        sessions_per_address_and_minute=limit,
        sessions_per_minute=_MANY,
    )
    site = SiteSettings(
        allowed_origins=(ORIGIN,), limits=limits, challenge=ChallengeSettings(when="never")
    )
    everywhere = LimitsSettings(store="memory", sessions_per_minute=_MANY)
    return SETTINGS.model_copy(update={"sites": {"default": site}, "limits": everywhere})


class _Attacker(asyncio.Protocol):
    """One address that asks again and again."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        assert exc is None or isinstance(exc, OSError)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        for piece in data.split(b"HTTP/1.1 ")[1:]:
            self.statuses[piece[:3].decode("latin-1")] += 1

    async def ask(self, port: int, source: str) -> None:
        if self._transport is None:
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: self, "127.0.0.1", port, local_addr=(source, 0))
        if self._transport is not None:
            self._transport.write(_REQUEST)


async def _visit(port: int, source: str) -> tuple[bool, float]:
    """Ask once from a fresh address; return whether there was a grant, and after how many ms."""
    started = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    writer.write(_REQUEST.replace(b"Host: x", b"Host: x\r\nConnection: close"))
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return answer.startswith(b"HTTP/1.1 201"), 1_000 * (time.monotonic() - started)


async def _load(port: int, rate_hz: float, seconds: float, count: int) -> FloodResult:
    attackers = [_Attacker() for _ in range(count)]
    sources = [f"127.20.{number // 250}.{number % 250 + 1}" for number in range(count)]
    started = time.monotonic()
    visits: list[asyncio.Task[tuple[bool, float]]] = []
    sent = 0
    async with asyncio.TaskGroup() as tasks:
        while (passed_s := time.monotonic() - started) < seconds:
            while sent < passed_s * rate_hz:
                index = sent % count
                tasks.create_task(attackers[index].ask(port, sources[index]))
                sent += 1
            while len(visits) < passed_s * HONEST_A_SECOND:
                number = len(visits)
                source = f"127.30.{number // 250}.{number % 250 + 1}"
                visits.append(tasks.create_task(_visit(port, source)))
            await asyncio.sleep(_TICK_S)
    found = [visit.result() for visit in visits]
    statuses: Counter[str] = Counter()
    for attacker in attackers:
        statuses += attacker.statuses
    return FloodResult(
        seconds=time.monotonic() - started,
        sent=sent,
        statuses=dict(statuses),
        granted_to_one_max=max(attacker.statuses["201"] for attacker in attackers),
        honest=len(found),
        honest_granted=sum(was_granted for was_granted, _ in found),
        honest_ms=sorted(round(ms, 1) for _, ms in found),
    )


async def _edge(folder: Path, limit: int) -> None:
    async with running_edge(folder, settings=settings(limit)) as rig:
        sys.stdout.write(f"{rig.port}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


@contextmanager
def flooded_edge(folder: Path, *, limit: int = 10) -> Iterator[tuple[int, psutil.Process]]:
    """Run an edge; yield its port and its process.

    Args:
        folder: For its journal and bus.
        limit: ``sessions_per_address_and_minute``.
    """
    command = [sys.executable, "-m", "support.flood", "edge", str(folder), str(limit)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment()
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield int(process.stdout.readline()), psutil.Process(process.pid)
        finally:
            process.stdin.close()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def flood(port: int, *, rate_hz: float, seconds: float, attackers: int = ATTACKERS) -> FloodResult:
    """Flood an edge from a process of its own."""
    command = [
        sys.executable,
        "-m",
        "support.flood",
        "load",
        str(port),
        str(rate_hz),
        str(seconds),
        str(attackers),
    ]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, env=_environment(), timeout=120
    )
    return FloodResult(**json.loads(done.stdout))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["edge", folder, limit]:
            uvloop.run(_edge(Path(folder), int(limit)))
        case ["load", port, rate_hz, seconds, attackers]:
            result = uvloop.run(_load(int(port), float(rate_hz), float(seconds), int(attackers)))
            sys.stdout.write(json.dumps(asdict(result)))
