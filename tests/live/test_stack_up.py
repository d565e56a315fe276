"""``talkbutton up`` with the real daemons and the echo bot: starting, dying, stopping."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from support.daemons import telephony_rootfs
from support.stack import Stack, settings_text, wait_until
from talkbutton.cli.exit_codes import ExitCode
from talkbutton.operate.stack.places import Places
from talkbutton.operate.stack.supervise import Supervisor

pytestmark = pytest.mark.live

BASE_PORT = 29_000
STOPPED_WITHIN_S = 15.0


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    telephony_rootfs()
    folder = tmp_path_factory.mktemp("up")
    (folder / "talkbutton.toml").write_text(
        settings_text(BASE_PORT, bot='kind = "echo"'), encoding="utf-8"
    )
    return folder


@pytest.fixture
def stack(folder: Path) -> Iterator[Stack]:
    stack = Stack(folder, BASE_PORT)
    stack.start()
    yield stack
    stack.stop()
    wait_until("nothing is left", lambda: not living(folder), deadline_s=STOPPED_WITHIN_S)


def talkbutton(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "talkbutton", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def living(folder: Path) -> list[str]:
    """Return the command lines of this folder's processes."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if str(folder) in command or (process / "cwd").readlink() == folder:
                found.append(command)
    return found


def mounts_of(folder: Path) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if str(folder) in line]


def said(stack: Stack, pattern: str) -> bool:
    return any(re.search(pattern, line) for line in list(stack.output))


def up_process(folder: Path) -> int:
    return int(Places(folder / "talkbutton.toml").up_lock.read_text(encoding="utf-8"))


def part_process(stack: Stack, part: str) -> int:
    places = Places(stack.folder / "talkbutton.toml")
    pid = asyncio.run(Supervisor(places).processes())[part].pid
    assert pid is not None
    return pid


def inside(stack: Stack, part: str) -> Path:
    """Return the file system as a part sees it."""
    pid = part_process(stack, part)
    while children := Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
        pid = int(children[0])
    return Path(f"/proc/{pid}/root")


def test_it_starts_tells_its_state_and_stops_without_a_trace(folder: Path) -> None:
    stack = Stack(folder, BASE_PORT)
    stack.start()
    try:
        urls = [line for line in stack.output if "http://" in line]
        assert len(urls) == 1
        status = talkbutton(folder, "status", "--json")
        parts = json.loads(status.stdout)["parts"]
        assert status.returncode == ExitCode.OK
        assert {part["part"] for part in parts if part["is_ready"]} == {
            "coturn",
            "asterisk",
            "janus",
            "turnlog",
            "keeper",
            "bridge",
            "edge",
        }
        second = talkbutton(folder, "up")
        assert second.returncode == ExitCode.STACK
        assert f"already running in this folder (process {up_process(folder)})" in second.stderr
    finally:
        assert stack.stop() == ExitCode.OK
    assert living(folder) == []
    assert mounts_of(folder) == []
    assert talkbutton(folder, "down").stdout == "nothing runs in this folder\n"


def test_parts_are_ordinary_users_and_see_only_their_own_secrets(stack: Stack) -> None:
    places = Places(stack.folder / "talkbutton.toml")
    for part in ("edge", "keeper", "bridge"):
        root = inside(stack, part)
        status = (root.parent / "status").read_text(encoding="ascii")
        assert "Uid:\t0\t" not in status
        assert "CapEff:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status
        own = root / places.run.relative_to("/")
        assert [folder.name for folder in own.iterdir()] == [part]
        assert not (root / stack.folder.relative_to("/") / "talkbutton.secrets.toml").exists()
    daemon = inside(stack, "janus") / "talkbutton" / "config"
    assert {file.suffix for file in daemon.iterdir()} == {".jcfg"}


def test_a_part_that_dies_comes_back_and_it_is_said(stack: Stack) -> None:
    for part in ("janus", "edge"):
        os.kill(part_process(stack, part), signal.SIGKILL)
        wait_until(
            f"the return of {part} is said",
            partial(said, stack, rf"^[0-9:]+ {part} restarted"),
            deadline_s=10,
        )
        assert said(stack, rf"^[0-9:]+ {part} died: .*SIGKILL")
        stack.wait_until_ready()


def test_down_stops_it(stack: Stack) -> None:
    process = up_process(stack.folder)
    done = talkbutton(stack.folder, "down")
    assert (done.returncode, done.stdout) == (ExitCode.OK, "stopped\n")
    assert stack.stop() == ExitCode.OK
    assert not Path(f"/proc/{process}").exists()


def test_nothing_survives_an_up_that_is_killed(folder: Path) -> None:
    stack = Stack(folder, BASE_PORT)
    stack.start()
    os.kill(up_process(folder), signal.SIGKILL)
    stack.stop()
    wait_until("all parts are gone", lambda: not living(folder), deadline_s=STOPPED_WITHIN_S)


def test_a_killed_supervisor_takes_all_parts_with_it(folder: Path) -> None:
    stack = Stack(folder, BASE_PORT)
    stack.start()
    places = Places(folder / "talkbutton.toml")
    os.kill(int(places.supervisor_pid.read_text(encoding="ascii")), signal.SIGKILL)
    wait_until("up has ended", lambda: not living(folder), deadline_s=STOPPED_WITHIN_S)
    assert stack.stop() == ExitCode.STACK
    assert said(stack, "supervisord: ended with status -9")


def test_an_up_right_after_a_killed_one_waits_for_its_parts(folder: Path) -> None:
    first = Stack(folder, BASE_PORT)
    first.start()
    os.kill(up_process(folder), signal.SIGKILL)
    second = Stack(folder, BASE_PORT)
    second.start()
    first.stop()
    assert second.stop() == ExitCode.OK


def test_a_taken_port_names_its_holder_and_the_setting(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", BASE_PORT + 3)):
        done = talkbutton(folder, "up")
    assert done.returncode == ExitCode.STACK
    assert f"janus: 127.0.0.1 tcp port {BASE_PORT + 3} is already taken by" in done.stderr
    assert f"(process {os.getpid()})" in done.stderr
    assert "set janus.api_port to another port" in done.stderr
    assert living(folder) == []


def test_a_part_that_cannot_start_shows_its_last_words(folder: Path) -> None:
    settings = settings_text(BASE_PORT, bot='knowledge_dir = "missing"')
    (folder / "talkbutton.toml").write_text(settings, encoding="utf-8")
    done = talkbutton(folder, "up")
    assert done.returncode == ExitCode.STACK
    assert re.search(r"talkbutton: bridge: .*; its log is ", done.stderr)
    assert re.search(r"bridge \| .*missing", done.stderr)
    assert living(folder) == []
