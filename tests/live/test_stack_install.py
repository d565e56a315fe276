"""The real installation, killed in the middle and run again."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from support.stack import wait_until
from talkbutton.cli.exit_codes import ExitCode
from talkbutton.operate.stack.install import installed
from talkbutton.operate.stack.places import DataPlaces

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

INSTALL = [sys.executable, "-m", "talkbutton", "install"]
SOME_PACKAGES = 20


@pytest.fixture
def data(tmp_path: Path) -> Iterator[DataPlaces]:
    yield DataPlaces(tmp_path / "data")
    shutil.rmtree(tmp_path / "data")  # 400 MB


def processes_in(folder: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if str(folder) in command:
                found.append(command)
    return found


def packages_of(data: DataPlaces) -> int:
    return len(list((data.rootfs_partial / "var/cache/apt/archives").glob("*.deb")))


def test_killed_in_the_middle_it_carries_on(data: DataPlaces) -> None:
    environment = {**os.environ, "TALKBUTTON_DATA_DIR": str(data.root)}
    first = subprocess.Popen(INSTALL, env=environment, stdout=subprocess.DEVNULL)
    wait_until("packages are there", lambda: packages_of(data) > SOME_PACKAGES, deadline_s=120)
    first.send_signal(signal.SIGKILL)
    first.wait()
    wait_until("nothing of it runs", lambda: not processes_in(data.root), deadline_s=10)
    assert str(data.root) not in Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    assert installed(data) is None

    second = subprocess.run(INSTALL, env=environment, capture_output=True, text=True, check=False)
    assert second.returncode == ExitCode.OK, second.stderr
    found = installed(data)
    assert found is not None
    assert {"asterisk", "janus", "coturn"} == found.versions.keys()
    assert not data.rootfs_partial.exists()

    started = time.monotonic()
    third = subprocess.run(INSTALL, env=environment, capture_output=True, text=True, check=True)
    assert third.stdout.splitlines() == second.stdout.splitlines()[-1:]
    assert time.monotonic() - started < 5
