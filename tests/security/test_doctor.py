"""The doctor finds nothing on a sound stack, and finds each hole that is opened."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.daemons import (
    live_secrets,
    live_settings,
    media_address,
    running_daemon,
    telephony_rootfs,
)
from support.doctor import daemon_target, examine_only, mutated
from support.stack import Stack, wait_until
from talkbutton.cli.exit_codes import ExitCode
from talkbutton.events import CallEvent
from talkbutton.operate.doctor import AREAS, Broken, Held
from talkbutton.rules.render import TelephonyPart
from talkbutton.runtime.journal import JournalReader

pytestmark = pytest.mark.security

BASE_PORT = 28_000
DEADLINE_S = 60
PRIVATE = "127.0.0.1"
_SLEEP = "import time; time.sleep(60)"
SETTINGS = live_settings()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    telephony_rootfs()
    stack = Stack.make(tmp_path_factory.mktemp("doctor"), BASE_PORT, bot='kind = "echo"')
    stack.start()
    stack.wait_until_ready()
    yield stack
    stack.stop()


def doctor(stack: Stack, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "talkbutton", "doctor", *arguments],
        cwd=stack.folder,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def outcomes(done: "subprocess.CompletedProcess[str]") -> dict[str, str]:
    document = json.loads(done.stdout)
    return {finding["name"]: finding["outcome"] for finding in document["findings"]}


def test_a_sound_stack_refuses_every_attack(stack: Stack) -> None:
    done = doctor(stack, "--security", "--json")
    document: dict[str, Any] = json.loads(done.stdout)
    failed = [f for f in document["findings"] if f["outcome"] != "held"]
    assert failed == []
    assert done.returncode == ExitCode.OK, done.stderr
    assert {finding["area"] for finding in document["findings"]} == set(AREAS)
    assert document["held"] >= 60
    assert "10 of " in done.stderr  # progress, away from the document


def test_nothing_of_the_attacks_is_left(stack: Stack) -> None:
    doctor(stack, "--security", "--only", "sessions,asterisk")
    stack.wait_for_nothing_left()


def test_a_run_is_recorded_and_is_no_call(stack: Stack) -> None:
    def read() -> list[CallEvent]:
        return asyncio.run(JournalReader(journal).events(run_id))

    journal = stack.folder / ".talkbutton/state/journal.sqlite"
    done = doctor(stack, "--security", "--only", "versions")
    assert done.returncode == ExitCode.OK, done.stdout
    run_id = next(line.split()[-1] for line in done.stderr.splitlines() if "recorded as" in line)
    [finished] = read()
    assert (finished.name, finished.program, finished.leg) == (
        "doctor.finished",
        "doctor",
        "operator",
    )
    assert (finished.data["held"], finished.data["broken"]) == (3, 0)
    assert run_id[:16] not in stack.run("calls")
    owners = {path.stat().st_uid for path in journal.parent.glob("journal.sqlite*")}
    assert len(owners) == 1  # what root wrote, the parts can still write


def test_readable_secrets_are_found(stack: Stack) -> None:
    secrets = stack.folder / "talkbutton.secrets.toml"
    secrets.chmod(0o644)
    try:
        done = doctor(stack, "--security", "--only", "files")
    finally:
        secrets.chmod(0o600)
    assert done.returncode == ExitCode.FINDINGS
    assert "BROKEN  files.secrets" in done.stdout
    assert f"mend      Run: chmod 600 {secrets}" in done.stdout
    assert "3 held, 1 broke through" in done.stdout


def test_a_secret_in_a_log_or_a_command_line_is_found(stack: Stack) -> None:
    secret = stack.secret("ticket_key")
    log = stack.folder / ".talkbutton/log/edge.log"
    whole = log.read_bytes()
    with subprocess.Popen([sys.executable, "-c", _SLEEP, secret]) as careless:
        try:
            with log.open("a") as opened:
                opened.write(f'{{"message":"{secret}"}}\n')
            done = doctor(stack, "--security", "--only", "files.logs,parts.command-lines", "--json")
        finally:
            careless.kill()
            os.truncate(log, len(whole))
    assert outcomes(done) == {"files.logs": "broken", "parts.command-lines": "broken"}
    assert "ticket_key" in done.stdout
    assert secret not in done.stdout + done.stderr


def test_a_dead_part_is_not_taken_for_a_safe_one(stack: Stack) -> None:
    stack.stop_part("coturn")
    try:
        done = doctor(stack, "--security", "--only", "turn", "--json")
    finally:
        stack.start_part("coturn")
        wait_until("coturn is back", lambda: stack.part_pid("coturn") > 0, deadline_s=15)
    assert done.returncode == ExitCode.STACK
    assert set(outcomes(done).values()) == {"not_tried"}


@pytest.mark.parametrize("part", ["coturn", "janus", "asterisk"])
def test_a_sound_daemon_refuses_every_attack(tmp_path: Path, part: TelephonyPart) -> None:
    area = "turn" if part == "coturn" else part
    with running_daemon(part, tmp_path, settings=SETTINGS) as daemon:
        found = examine_only(daemon_target(daemon), area)
    assert len(found) >= 7
    assert {name: one for name, one in found.items() if not isinstance(one, Held)} == {}


API_SECRET = live_secrets().janus_api_secret.get_secret_value()
OPEN_ADMIN = f'admin_ws = true\n\tadmin_ws_port = 7188\n\tadmin_ws_ip = "{PRIVATE}"'
SAMPLE_USER = "\n[asterisk]\ntype = user\npassword = asterisk\npassword_format = plain\n"
CONTEXT = "[talkbutton-in]\n"
ALLOWED = "allowed-peer-ip="

HOLES: list[tuple[str, TelephonyPart, str, dict[str, str]]] = [
    ("turn.works", "coturn", "turnserver.conf", {ALLOWED: "#"}),
    (
        "turn.no-credentials",
        "coturn",
        "turnserver.conf",
        {"use-auth-secret\n": "no-auth\n", "static-auth-secret=": "#"},
    ),
    ("turn.peer-private", "coturn", "turnserver.conf", {"denied-peer-ip=": "#"}),
    ("turn.peer-strangers", "coturn", "turnserver.conf", {"denied-peer-ip=": "#"}),
    (
        "turn.peer-own",
        "coturn",
        "turnserver.conf",
        {ALLOWED: f"allow-loopback-peers\n{ALLOWED}{PRIVATE}\n{ALLOWED}"},
    ),
    ("turn.tcp-relay", "coturn", "turnserver.conf", {"no-tcp-relay": ""}),
    ("turn.lifetime", "coturn", "turnserver.conf", {"max-allocate-lifetime=": "#"}),
    ("turn.quota", "coturn", "turnserver.conf", {"user-quota=": "user-quota=99\n#"}),
    (
        "janus.no-secret",
        "janus",
        "janus.jcfg",
        {f'api_secret = "{API_SECRET}"': "", "token_auth = true": "token_auth = false"},
    ),
    ("janus.plugins", "janus", "janus.jcfg", {"libjanus_echotest.so,": ""}),
    (
        "janus.admin",
        "janus",
        "janus.transport.websockets.jcfg",
        {"admin_ws = false": OPEN_ADMIN},
    ),
    (
        "janus.listens-privately",
        "janus",
        "janus.transport.websockets.jcfg",
        {f'ws_ip = "{PRIVATE}"': ""},
    ),
    ("asterisk.works", "asterisk", "extensions.conf", {"exten => 7000": "exten => 7777"}),
    (
        "asterisk.extensions",
        "asterisk",
        "extensions.conf",
        {CONTEXT: f"{CONTEXT}exten => 0,1,Hangup()\n"},
    ),
    (
        "asterisk.extensions",
        "asterisk",
        "extensions.conf",
        {CONTEXT: f"{CONTEXT}exten => _+X.,1,Hangup()\n"},
    ),
    ("asterisk.wrong-password", "asterisk", "pjsip.conf", {"auth = talkbutton\n": ""}),
    ("asterisk.strangers", "asterisk", "pjsip.conf", {"auth = talkbutton\n": ""}),
    ("asterisk.ari-login", "asterisk", "ari.conf", {"[bridge]\n": f"{SAMPLE_USER}[bridge]\n"}),
    (
        "asterisk.listens-privately",
        "asterisk",
        "http.conf",
        {f"bindaddr = {PRIVATE}": "bindaddr = 0.0.0.0"},
    ),
]
"""Probe, daemon, and the change to its rendered file that opens the hole."""


@pytest.mark.parametrize(
    ("probe", "part", "file", "changes"), HOLES, ids=[hole[0] for hole in HOLES]
)
def test_an_opened_hole_is_found(
    tmp_path: Path, probe: str, part: TelephonyPart, file: str, changes: dict[str, str]
) -> None:
    folder = tmp_path / part
    folder.mkdir()
    files = mutated(part, tmp_path, file, changes)
    with running_daemon(part, folder, settings=SETTINGS, files=files) as daemon:
        found = examine_only(daemon_target(daemon), probe)[probe]
    assert isinstance(found, Broken), found


def test_media_address_is_not_the_private_one() -> None:
    """Else the tests of private sockets would prove nothing."""
    assert media_address() != PRIVATE
