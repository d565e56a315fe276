"""Each part of a running stack knows its own secrets and no other, and nothing shows one.

What is looked at: command line, environment, open files and all files in its mounts, of every
process of every part; then everything that anybody writes or serves, after a call.
"""

import asyncio
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from support.daemons import telephony_rootfs
from support.secrecy import found_in, process_tree, told_process, visible_files
from support.sip_client import SipCaller
from support.stack import Stack, settings_text, wait_until
from talkbutton.ids import make_call_id
from talkbutton.operate.stack.places import Places
from talkbutton.operate.stack.supervise import Supervisor
from talkbutton.protocols.stun import error_code
from talkbutton.protocols.ticket import Ticket, sign_ticket
from talkbutton.runtime.aio.turn_client import open_turn
from talkbutton.settings.secrets_file import read_secrets_file

pytestmark = [pytest.mark.security, pytest.mark.timeout(240)]

BASE_PORT = 27_000
ORIGIN = f"http://127.0.0.1:{BASE_PORT}"
OFFER = (Path(__file__).parent.parent / "support" / "chromium_offer.sdp").read_text()
MAY_KNOW = {
    "edge": {
        "grant_key",
        "ticket_key",
        "challenge_key",
        "turn_secret",
        "janus_api_secret",
        "janus_token_secret",
    },
    "keeper": {"janus_api_secret", "janus_token_secret", "sip_password"},
    "bridge": {"ari_password", "ticket_key"},
    "coturn": {"turn_secret"},
    "asterisk": {"sip_password", "ari_password"},
    "janus": {"janus_api_secret", "janus_token_secret", "janus_admin_secret"},
}
"""As docs/howto/secrets.md says; other parts know none."""

SIGNED_TOKEN = re.compile(rb"eyJ[A-Za-z0-9_-]{16,}\.eyJ")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    telephony_rootfs()
    folder = tmp_path_factory.mktemp("home")
    text = settings_text(BASE_PORT, bot='kind = "echo"')
    (folder / "talkbutton.toml").write_text(text, encoding="utf-8")
    stack = Stack(folder, BASE_PORT)
    stack.start()
    try:
        yield stack
    finally:
        assert stack.stop() == 0


def secrets_of(stack: Stack) -> dict[str, str]:
    return dict(read_secrets_file(stack.folder / "talkbutton.secrets.toml").values)


def ask_for_session(stack: Stack) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{stack.url}/v1/sessions",
        data=b"{}",
        headers={"Origin": ORIGIN, "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        granted: dict[str, Any] = json.load(answer)
    return granted


def begin_call(stack: Stack, token: object) -> dict[str, Any]:
    """Return the edge's answer to an offer made with a grant."""
    url = f"ws://127.0.0.1:{stack.base}/v1/signaling"
    protocols = [Subprotocol("talkbutton.v1")]
    with connect(url, origin=Origin(ORIGIN), subprotocols=protocols) as socket:
        socket.send(json.dumps({"type": "start", "token": token}))
        socket.send(json.dumps({"type": "offer", "sdp": OFFER}))
        while True:
            said: dict[str, Any] = json.loads(socket.recv(timeout=20))
            if said["type"] in ("answer", "ended", "refused", "error"):
                return said


def pids(stack: Stack) -> dict[str, int]:
    places = Places(stack.folder / "talkbutton.toml")
    found = asyncio.run(Supervisor(places).processes())
    return {part: process.pid for part, process in found.items() if process.pid is not None}


def test_every_part_sees_exactly_its_own_secrets(stack: Stack) -> None:
    needles = secrets_of(stack)
    programs = [Path(sys.prefix), Path(sys.base_prefix)]
    for part, sandbox in pids(stack).items():
        seen: dict[str, str] = {}
        tree = list(process_tree(sandbox))
        for pid in tree:
            told = found_in(told_process(pid), needles)
            in_files = {name for name, where in told.items() if "/fd/" in where}
            assert told.keys() == in_files, (part, told)  # neither command line nor environment
            seen |= told
        seen |= found_in(visible_files(tree[-1], programs), needles)
        assert seen.keys() == MAY_KNOW.get(part, set()), (part, seen)


def test_a_part_that_crashes_writes_no_memory_to_the_disk(stack: Stack) -> None:
    for part, sandbox in pids(stack).items():
        for pid in process_tree(sandbox):
            limits = Path(f"/proc/{pid}/limits").read_text()
            assert re.search(r"^Max core file size +1 +1 ", limits, re.MULTILINE), part


def test_the_ones_who_start_the_parts_show_none(stack: Stack) -> None:
    places = Places(stack.folder / "talkbutton.toml")
    supervisor = int(places.supervisor_pid.read_text())
    starter = int(places.up_lock.read_text())
    for pid in (supervisor, starter):
        assert found_in(told_process(pid), secrets_of(stack)) == {}


def test_a_secret_that_is_given_away_would_be_found(stack: Stack, tmp_path: Path) -> None:
    """The search itself: what it must find, were it there."""
    value = secrets_of(stack)["grant_key"]
    (tmp_path / "left").write_text(value)
    sleep = "import sys, time; kept = open(sys.argv[1]); print('ready', flush=True); time.sleep(60)"
    for argument, environment in (("x", {"KEY": value}), (value, {}), ("x", {})):
        argv = [sys.executable, "-c", sleep, str(tmp_path / "left"), argument]
        with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE) as careless:
            assert careless.stdout is not None
            careless.stdout.readline()
            where = found_in(told_process(careless.pid), {"grant_key": value})["grant_key"]
            careless.kill()
        expected = "environ" if environment else "cmdline" if argument == value else "/fd/"
        assert expected in where


def test_nothing_that_is_written_or_served_shows_a_secret_or_a_token(stack: Stack) -> None:
    granted = ask_for_session(stack)
    turn = [str(one["credential"]) for one in granted["ice_servers"]]
    begin_call(stack, granted["token"])
    begin_call(stack, granted["token"])  # a second time is refused
    begin_call(stack, f"{granted['token']}x")
    stack.wait_for_events("grant.spent")
    needles = {
        **secrets_of(stack),
        "grant": str(granted["token"]),
        **{f"turn credential {number}": one for number, one in enumerate(turn)},
    }
    shown = list(everything_shown(stack))
    assert found_in(shown, needles) == {}
    assert [where for where, text in shown if SIGNED_TOKEN.search(text)] == []


def everything_shown(stack: Stack) -> Iterator[tuple[str, bytes]]:
    own = stack.folder / ".talkbutton"
    for folder in (own / "log", own / "state", own / "spool"):
        for path in folder.rglob("*"):
            if path.is_file():
                yield str(path.relative_to(own)), path.read_bytes()
    scripts = (own / "run").rglob("start.sh")
    for path in (own / "run" / "supervisord.conf", *scripts):
        yield str(path.relative_to(own)), path.read_bytes()
    for page in ("/", "/docs", "/openapi.json", "/healthz", "/readyz", "/nowhere"):
        try:
            with urllib.request.urlopen(f"{stack.url}{page}", timeout=10) as answer:
                yield page, answer.read()
        except urllib.error.HTTPError as refusal:
            yield page, refusal.read()
    for command in (
        ("status", "--json"),
        ("calls", "--json"),
        ("calls",),
        ("config", "check"),
        ("config", "reference"),
        ("secrets", "status", "--json"),
        ("logs",),
    ):
        yield " ".join(command), stack.run(*command).encode()
    yield "up", "".join(stack.output).encode()


def call_with_ticket(stack: Stack, key: str) -> int:
    """Return what SIP answers to a call whose ticket is signed with ``key``."""
    now_unix = time.time()
    call_id = make_call_id(now_unix_ms=int(now_unix * 1000), random_bytes=b"0123456789")
    ticket = sign_ticket(Ticket(call_id, "default", 60, int(now_unix) + 60), key=key)
    server = ("127.0.0.1", BASE_PORT + 4)
    password = secrets_of(stack)["sip_password"]
    with SipCaller(server, user="talkbutton", password=password) as caller:
        return caller.ask("INVITE", "7000", X_Talkbutton_Ticket=ticket).status


def is_relayed(credentials: tuple[str, str]) -> bool:
    """Return whether coturn gives a relay for these credentials."""

    async def allocate() -> bool:
        async with open_turn("127.0.0.1", BASE_PORT + 1, credentials=credentials) as turn:
            return error_code(await turn.allocate()) is None

    return asyncio.run(allocate())


def turn_credentials(granted: dict[str, Any]) -> tuple[str, str]:
    server = granted["ice_servers"][0]
    return server["username"], server["credential"]


def test_after_a_rotation_the_old_value_is_good_until_it_is_dropped(stack: Stack) -> None:
    before, running = secrets_of(stack), pids(stack)
    granted = ask_for_session(stack)
    names = ("grant_key", "ticket_key", "challenge_key", "turn_secret")
    said = stack.run("secrets", "rotate", *names)
    assert "coturn was told\nbridge was told\nedge was told\n" in said
    after = secrets_of(stack)
    assert pids(stack) == running  # nobody was restarted, so no call ended
    wait_until(
        "grants are signed with the new key",
        lambda: is_signed(str(ask_for_session(stack)["token"]), after["grant_key"]),
        deadline_s=10,
    )
    assert is_relayed(turn_credentials(granted))
    assert is_relayed(turn_credentials(ask_for_session(stack)))
    assert begin_call(stack, granted["token"])["type"] == "answer"
    assert call_with_ticket(stack, before["ticket_key"]) == 200
    assert call_with_ticket(stack, after["ticket_key"]) == 200
    assert call_with_ticket(stack, "x" * 48) != 200
    late = ask_for_session(stack)
    stack.run("secrets", "rotate", *names)
    stack.run("secrets", "drop-previous")
    wait_until(
        "the old key is refused",
        lambda: call_with_ticket(stack, before["ticket_key"]) != 200,
        deadline_s=10,
    )
    assert not is_relayed(turn_credentials(late))
    assert is_relayed(turn_credentials(ask_for_session(stack)))
    assert begin_call(stack, late["token"])["type"] == "error"
    assert call_with_ticket(stack, secrets_of(stack)["ticket_key"]) == 200
    assert pids(stack) == running


def is_signed(token: str, key: str) -> bool:
    try:
        jwt.decode(token, key, algorithms=["HS256"], audience="talkbutton-edge")
    except jwt.InvalidSignatureError:
        return False
    return True


def test_what_ends_calls_is_asked_for_and_then_done_part_by_part(stack: Stack) -> None:
    before = secrets_of(stack)
    refused = subprocess.run(
        [sys.executable, "-m", "talkbutton", "secrets", "rotate", "janus_api_secret"],
        cwd=stack.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode == 3
    assert "--restart is needed: janus, keeper, edge" in refused.stderr
    assert secrets_of(stack) == before
    said = stack.run("secrets", "rotate", "janus_api_secret", "sip_password", "--restart")
    assert said.count("was restarted") == 4
    wait_until("all parts are ready", lambda: is_all_ready(stack), deadline_s=60)
    assert begin_call(stack, ask_for_session(stack)["token"])["type"] == "answer"


def is_all_ready(stack: Stack) -> bool:
    done = subprocess.run(
        [sys.executable, "-m", "talkbutton", "status", "--json"],
        cwd=stack.folder,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode == 0
