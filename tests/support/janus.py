"""A real Janus and a real Asterisk for live tests, on the configuration that talkbutton renders.

Two things differ from production: Asterisk answers extension 7000 itself, writes the ticket it
got to its log and echoes; and Janus's admin interface is open, so that a test can break things.
"""

import base64
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from websockets.sync.client import connect
from websockets.typing import Subprotocol

from talkbutton.rules.render import Places, render_asterisk, render_janus
from talkbutton.settings.model import Secrets, Settings

__all__ = [
    "CHROMIUM_OFFER",
    "Daemon",
    "asterisk_channels",
    "janus_admin",
    "running_asterisk_echo",
    "running_janus",
    "wait_until",
]

CHROMIUM_OFFER = (Path(__file__).parent / "chromium_offer.sdp").read_bytes().decode()
"""An audio offer that Chromium 156 made; nobody is behind it, so ICE never connects."""

_ADMIN_PORT_BEHIND = 1
_USER_ID, _GROUP_ID = 999, 995

_DIALPLAN = """\
[general]
static = yes
[talkbutton-in]
exten => 7000,1,Log(NOTICE,ticket=${PJSIP_HEADER(read,X-Talkbutton-Ticket)})
 same => n,Answer()
 same => n,Echo()
exten => 7001,1,Ringing()
 same => n,Wait(60)
exten => 7002,1,Progress()
 same => n,Wait(60)
exten => 7003,1,Answer()
 same => n,Wait(0.3)
 same => n,Hangup()
exten => 7004,1,Wait(60)
"""
_DIALPLAN_MODULES = "".join(f"load = {name}.so\n" for name in ("app_echo", "app_verbose"))


@dataclass(frozen=True, slots=True)
class Daemon:
    """A running program.

    Attributes:
        log_path: What it wrote.
        kill: Ends it at once, as a crash would.
    """

    log_path: Path
    kill: Callable[[], None]

    def log(self) -> str:
        """Return what it wrote so far."""
        return self.log_path.read_text(errors="replace")


def wait_until(what: str, is_true: Callable[[], bool], *, deadline_s: float = 10.0) -> None:
    """Look until the condition holds, or fail naming it."""
    give_up_at = time.monotonic() + deadline_s
    while not is_true():
        assert time.monotonic() < give_up_at, f"{what}: not so after {deadline_s:.0f} s"
        time.sleep(0.02)


@contextmanager
def running_janus(
    rootfs: Path, folder: Path, settings: Settings, secrets: Secrets
) -> Iterator[Daemon]:
    """Start Janus from ``rootfs`` with its files in the new ``folder``; ready when entered."""
    places = Places(media_address=settings.network.media_address)
    files = render_janus(settings, secrets, places)
    name = PurePosixPath("janus.transport.websockets.jcfg")
    admin = f"admin_ws = true\n admin_ws_port = {settings.janus.api_port + _ADMIN_PORT_BEHIND}\n"
    assert "admin_ws = false" in files[name], files[name]
    files[name] = files[name].replace("admin_ws = false", admin + ' admin_ws_ip = "127.0.0.1"')
    command = [
        "janus",
        "--configs-folder=/talkbutton/config",
        "--config=/talkbutton/config/janus.jcfg",
    ]
    with _running(rootfs, folder, files, command) as daemon:
        wait_until("Janus is ready", lambda: _listens(settings.janus.api_port))
        yield daemon


@contextmanager
def running_asterisk_echo(
    rootfs: Path, folder: Path, settings: Settings, secrets: Secrets
) -> Iterator[Daemon]:
    """Start Asterisk from ``rootfs`` with its files in the new ``folder``; ready when entered."""
    places = Places(media_address=settings.network.media_address)
    files = render_asterisk(settings, secrets, places)
    files[PurePosixPath("extensions.conf")] = _DIALPLAN
    files[PurePosixPath("modules.conf")] += _DIALPLAN_MODULES
    command = ["asterisk", "-f", "-C", "/talkbutton/config/asterisk.conf"]
    with _running(rootfs, folder, files, command) as daemon:
        wait_until("Asterisk is ready", lambda: _channels_or_none(settings, secrets) is not None)
        yield daemon


def asterisk_channels(settings: Settings, secrets: Secrets) -> list[str]:
    """Return the names of Asterisk's channels."""
    url = f"http://127.0.0.1:{settings.asterisk.http_port}/ari/channels"
    credentials = f"bridge:{secrets.ari_password.get_secret_value()}".encode()
    basic = "Basic " + base64.b64encode(credentials).decode()
    request = urllib.request.Request(url, headers={"Authorization": basic})
    with urllib.request.urlopen(request, timeout=5) as reply:
        return [channel["name"] for channel in json.load(reply)]


def _channels_or_none(settings: Settings, secrets: Secrets) -> list[str] | None:
    try:
        return asterisk_channels(settings, secrets)
    except OSError:
        return None


def janus_admin(settings: Settings, secrets: Secrets, request: dict[str, Any]) -> dict[str, Any]:
    """Ask Janus's admin interface one thing and return its answer."""
    port = settings.janus.api_port + _ADMIN_PORT_BEHIND
    secret = {"admin_secret": secrets.janus_admin_secret.get_secret_value(), "transaction": "t"}
    subprotocol = Subprotocol("janus-admin-protocol")
    with connect(f"ws://127.0.0.1:{port}", subprotocols=[subprotocol], proxy=None) as admin:
        admin.send(json.dumps(request | secret))
        reply = json.loads(admin.recv(timeout=5))
    assert isinstance(reply, dict)
    return reply


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def _running(
    rootfs: Path, folder: Path, files: dict[PurePosixPath, str], command: list[str]
) -> Iterator[Daemon]:
    _write(folder, files)
    log_path = folder / "console.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            _sandboxed(rootfs, folder, command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    def kill() -> None:
        process.kill()  # its process namespace ends with it
        process.wait()

    try:
        yield Daemon(log_path, kill)
    finally:
        kill()


def _write(folder: Path, files: dict[PurePosixPath, str]) -> None:
    folder.mkdir(exist_ok=True)
    for name in ("config", "run", "log", "spool"):
        (folder / name).mkdir(exist_ok=True)
    for path, content in files.items():
        (folder / "config" / path).write_text(content)
    if os.geteuid() == 0:
        for made in (folder, *folder.rglob("*")):
            shutil.chown(made, _USER_ID, _GROUP_ID)


def _sandboxed(rootfs: Path, folder: Path, command: list[str]) -> list[str]:
    argv = ["bwrap", "--ro-bind", str(rootfs), "/", "--proc", "/proc", "--dev", "/dev"]
    argv += ["--tmpfs", "/tmp", "--tmpfs", "/run", "--bind", str(folder), "/talkbutton"]  # noqa: S108
    argv += ["--unshare-pid", "--die-with-parent", "--"]
    if os.geteuid() == 0:
        argv += ["setpriv", "--reuid", str(_USER_ID), "--regid", str(_GROUP_ID), "--clear-groups"]
    return [*argv, *command]
