"""The test networks themselves: nothing of them outlives the one who made them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.netns

_MAKE_AND_WAIT = """
from support.netns import switched_network
with switched_network(["one", "two"]) as hosts:
    print(*(host.pid for host in hosts.values()), flush=True)
    input()
"""
_GONE_MAX_S = 10.0


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_killed_test_leaves_no_machine_behind() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    maker = subprocess.Popen(
        [sys.executable, "-c", _MAKE_AND_WAIT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert maker.stdout is not None
    pids = [int(pid) for pid in maker.stdout.readline().split()]
    assert pids
    assert all(_lives(pid) for pid in pids)
    maker.send_signal(signal.SIGKILL)
    maker.communicate()
    give_up_at = time.monotonic() + _GONE_MAX_S
    while any(_lives(pid) for pid in pids):
        assert time.monotonic() < give_up_at, pids
        time.sleep(0.02)
