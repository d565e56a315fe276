"""S3: a flood of session requests from 500 addresses neither locks visitors out nor fills memory.

How long visitors wait is a figure of ``benchmarks/flood.py``: it depends on the machine.
"""

from pathlib import Path

import pytest

from support.flood import ATTACKERS, HONEST_A_SECOND, flood, flooded_edge

pytestmark = pytest.mark.security

SECONDS = 6.0
RATE_HZ = 1_000.0
BURST, PER_S = 6, 1 / 3  # of ``Gate`` at the default limit, which may be stricter
MEMORY_MAX_BYTES = 64 * 1024 * 1024  # more than before; a request that stays costs some kB


def test_a_flood_locks_nobody_out_and_is_bounded(tmp_path: Path) -> None:
    with flooded_edge(tmp_path) as (port, process):
        before = process.memory_info().rss
        result = flood(port, rate_hz=RATE_HZ, seconds=SECONDS)
        grown = process.memory_info().rss - before
        assert process.is_running()
    assert result.honest_granted == result.honest >= SECONDS * HONEST_A_SECOND
    assert result.statuses["429"] > 0
    assert result.granted_to_one_max <= BURST + result.seconds * PER_S + 1
    assert result.statuses.get("201", 0) <= ATTACKERS * (BURST + result.seconds * PER_S + 1)
    assert set(result.statuses) <= {"201", "429"}
    assert grown < MEMORY_MAX_BYTES


@pytest.mark.parametrize("is_guarded", [True, False])
def test_one_attacker_gets_no_more_than_the_limit(tmp_path: Path, *, is_guarded: bool) -> None:
    with flooded_edge(tmp_path, limit=10 if is_guarded else 100_000) as (port, _):
        result = flood(port, rate_hz=200.0, seconds=2.0, attackers=10)
    allowed = BURST + result.seconds * PER_S + 1
    assert (result.granted_to_one_max <= allowed) is is_guarded
    assert result.honest_granted == result.honest
