"""A part that runs without its sandbox, and files that others may read, are found."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemons import live_secrets
from talkbutton.operate.doctor import Broken, Held, NotTried, Outcome, Target, examine
from talkbutton.operate.doctor.files import files_probes
from talkbutton.operate.doctor.parts import parts_probes
from talkbutton.operate.stack.places import Places
from talkbutton.settings.model import Settings

pytestmark = [pytest.mark.shell, pytest.mark.anyio]

SECRET = live_secrets().grant_key.get_secret_value()
SERVER = (
    "import socket, sys, time; listener = socket.create_server(('127.0.0.1', 0)); "
    "print('ready', flush=True); time.sleep(60)"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Lay out a deployment's files as ``up`` does."""
    places = Places(tmp_path / "talkbutton.toml")
    secrets = tmp_path / "talkbutton.secrets.toml"
    settings = places.part_settings("edge")
    config = places.config("janus") / "janus.jcfg"
    files = (places.settings, secrets, settings, config, places.part_secrets("bridge"))
    for directory in (places.log, places.state, *(file.parent for file in files)):
        directory.mkdir(parents=True, exist_ok=True)
    for directory in (places.own, *places.own.rglob("*")):
        directory.chmod(0o700)
    for file in files:
        file.write_text("# nothing\n")
        file.chmod(0o400)
    places.part_log("edge").write_text("all is well\n")
    return tmp_path


@pytest.fixture
def careless() -> "Iterator[subprocess.Popen[str]]":
    """A process with a secret in its environment, a socket, and no sandbox."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        env={**os.environ, "GRANT_KEY": SECRET},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def target(folder: Path, **pids: int) -> Target:
    return Target(
        Settings(version=1),
        live_secrets(),
        folder / "talkbutton.secrets.toml",
        Places(folder / "talkbutton.toml"),
        pids=pids,
    )


async def look_at_parts(one: Target) -> dict[str, Outcome]:
    return {f.probe.name.partition(".")[2]: f.outcome for f in await examine(parts_probes(one))}


async def look_at_files(one: Target) -> dict[str, Outcome]:
    return {f.probe.name.partition(".")[2]: f.outcome for f in await examine(files_probes(one))}


async def test_a_part_without_a_sandbox_is_found(
    folder: Path, careless: "subprocess.Popen[str]"
) -> None:
    found = await look_at_parts(target(folder, edge=careless.pid))
    assert isinstance(found["rights"], Broken)
    assert "edge: NoNewPrivs is 0" in found["rights"].evidence
    assert found["environments"] == Broken("edge holds grant_key")
    assert isinstance(found["own-secrets"], Broken)
    assert "edge sees talkbutton.secrets.toml" in found["own-secrets"].evidence
    assert "edge sees .talkbutton/run/bridge/given/secrets.toml" in found["own-secrets"].evidence
    assert isinstance(found["edge-listens"], Broken)
    assert isinstance(found["command-lines"], Held)
    assert found["bridge-listens-privately"] == NotTried("bridge does not run")


async def test_a_keeper_or_speech_worker_that_listens_is_found(
    folder: Path, careless: "subprocess.Popen[str]"
) -> None:
    found = await look_at_parts(target(folder, keeper=careless.pid))
    assert isinstance(found["others-listen-nowhere"], Broken)
    assert found["others-listen-nowhere"].evidence.startswith("tcp 127.0.0.1:")


async def test_where_nothing_runs_nobody_can_tell(folder: Path) -> None:
    found = await look_at_parts(target(folder))
    assert isinstance(found.pop("command-lines"), Held)
    assert {type(one) for one in found.values()} == {NotTried}


async def test_closed_files_hold(folder: Path) -> None:
    found = await look_at_files(target(folder))
    assert {name: one for name, one in found.items() if not isinstance(one, Held)} == {}


@pytest.mark.parametrize(
    ("path", "mode", "probe", "evidence"),
    [
        ("talkbutton.secrets.toml", 0o640, "secrets", "others may read it: mode 640"),
        (".talkbutton", 0o755, "rendered", ".talkbutton has mode 755"),
        (".talkbutton/config/janus/janus.jcfg", 0o444, "rendered", "janus.jcfg has mode 444"),
        (".talkbutton/run/edge/given/talkbutton.toml", 0o604, "rendered", "toml has mode 604"),
        ("talkbutton.toml", 0o666, "settings", "others may write"),
    ],
)
async def test_open_files_are_found(
    folder: Path, path: str, mode: int, probe: str, evidence: str
) -> None:
    (folder / path).chmod(mode)
    found = await look_at_files(target(folder))
    broken = {name: one for name, one in found.items() if isinstance(one, Broken)}
    assert broken.keys() == {probe}
    assert evidence in broken[probe].evidence


async def test_a_secret_across_two_pieces_of_a_log_is_found(folder: Path) -> None:
    log = folder / ".talkbutton/log/edge.log"
    log.write_text("x" * ((1 << 20) - 7) + SECRET + "\n")
    found = await look_at_files(target(folder))
    assert found["logs"] == Broken("edge.log holds grant_key")
