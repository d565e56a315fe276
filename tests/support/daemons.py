"""Asterisk, Janus and coturn as they really are, started on rendered files in a sandbox."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path, PurePosixPath

import pytest

from talkbutton.operate.stack.places import data_places
from talkbutton.operate.stack.turn_secrets import write_turn_secrets
from talkbutton.rules.render import TURN_DATABASE, Places, TelephonyPart, render_all, start_command
from talkbutton.settings.model import Secrets, Settings

__all__ = [
    "LISTENING",
    "Edit",
    "RunningDaemon",
    "live_secrets",
    "live_settings",
    "media_address",
    "replaced",
    "running_daemon",
    "telephony_rootfs",
    "wait_until",
]

Edit = Callable[[dict[PurePosixPath, str]], None]
"""Changes rendered files in place."""

ROOTFS_VARIABLE = "TALKBUTTON_TELEPHONY_DIR"
"""Names the root file system with the telephony programs, where it isn't in its usual place."""

LISTENING = "0A"
"""State of a listening TCP socket in ``/proc/net/tcp``."""

_START_MAX_S = 20.0
_STOP_MAX_S = 10.0
_USER_ID, _GROUP_ID = 999, 995
_FOLDERS = ("config", "run", "log", "spool")


def telephony_rootfs() -> Path:
    """Return the root file system with the telephony programs; without it the test fails."""
    if named := os.environ.get(ROOTFS_VARIABLE):
        rootfs = Path(named)
    else:
        is_root = os.geteuid() == 0
        rootfs = data_places(os.environ, is_root=is_root, home=Path.home()).rootfs
    if not (rootfs / "usr/sbin/asterisk").exists():
        pytest.fail(
            f"there are no telephony programs in {rootfs}: install them with `make demo`, "
            f"or name a root file system that has them in {ROOTFS_VARIABLE}"
        )
    return rootfs


def replaced(file: str, *pairs: tuple[str, str]) -> Edit:
    """Return an edit that replaces texts in one file; a text that isn't there fails the test."""

    def edit(files: dict[PurePosixPath, str]) -> None:
        path = PurePosixPath(file)
        for old, new in pairs:
            assert old in files[path], (file, old)
            files[path] = files[path].replace(old, new)

    return edit


def media_address() -> str:
    """Return this machine's address on its default route; without one the test fails."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            pytest.fail("this machine has no address beside loopback: give it a default route")
        address: str = probe.getsockname()[0]
    return address


def live_settings(**turn: object) -> Settings:
    """Return settings with ports of the live tests' own; ``turn`` adds to the TURN settings."""
    return Settings.model_validate(
        {
            "version": 1,
            "turn": {
                "port": 24478,
                "tls_port": 24479,
                "relay_ports": {"first": 24500, "last": 24559},
                **turn,
            },
            "janus": {
                "api_port": 24188,
                "rtp_ports": {"first": 24200, "last": 24299},
                "sip_rtp_ports": {"first": 24300, "last": 24399},
            },
            "asterisk": {
                "sip_port": 24060,
                "http_port": 24088,
                "rtp_ports": {"first": 24100, "last": 24187},
            },
            "bridge": {"rtp_ports": {"first": 24600, "last": 24699}},
        }
    )


def live_secrets() -> Secrets:
    """Return secrets that name themselves, so that a leak shows whose it is."""
    values = {
        name: f"secret-{name.replace('_', '-')}-{'0123456789' * 2}" for name in Secrets.model_fields
    }
    return Secrets.model_validate(values)


@dataclass(frozen=True, slots=True)
class RunningDaemon:
    """One started daemon.

    Attributes:
        part: Which one.
        pid: Of the daemon itself, not of its sandbox.
        output_path: What it wrote to standard output and error.
        sandbox: Start of the command line that enters an equal sandbox.
    """

    part: TelephonyPart
    pid: int
    output_path: Path
    sandbox: tuple[str, ...]

    def output(self) -> str:
        """Return what the daemon wrote so far."""
        return self.output_path.read_text(errors="replace")

    def run(self, *command: str) -> str:
        """Run a command beside the daemon and return what it wrote."""
        result = subprocess.run(
            [*self.sandbox, *command], capture_output=True, text=True, check=False, timeout=20
        )
        return result.stdout + result.stderr

    def asterisk(self, command: str) -> str:
        """Return Asterisk's answer to a console command."""
        return self.run(
            "/usr/sbin/asterisk", "-C", "/talkbutton/config/asterisk.conf", "-rx", command
        )

    def sockets(self) -> set[tuple[str, str, int]]:
        """Return protocol, address and port of each socket that takes packets or connections."""
        inodes = set()
        for descriptor in Path(f"/proc/{self.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed in the meantime
                target = str(descriptor.readlink())
                inodes.add(target.removeprefix("socket:[").removesuffix("]"))
        return {
            (protocol, address, port)
            for protocol in ("tcp", "udp")
            for address, port, state, inode in _kernel_sockets(protocol)
            if inode in inodes and (protocol == "udp" or state == LISTENING)
        }


@contextmanager
def running_daemon(
    part: TelephonyPart,
    folder: Path,
    *,
    settings: Settings,
    files: dict[str, Path] | None = None,
    with_echotest: bool = False,
    media: str | None = None,
    guard_off: Edit | None = None,
) -> Iterator[RunningDaemon]:
    """Start a part on its rendered files; it is ready when entered and gone when left.

    Args:
        part: Which one.
        folder: An empty folder for its files.
        settings: The deployment; its secrets are ``live_secrets()``.
        files: More files for its configuration folder, by name.
        with_echotest: Load Janus's echo plugin.
        media: Media address; None takes this machine's own.
        guard_off: Changes the rendered files before they are written, to show what a guard does.
    """
    places = Places(media or media_address())
    rendered = render_all(settings, live_secrets(), places, with_echotest=with_echotest)[part]
    if guard_off is not None:
        before = dict(rendered)
        guard_off(rendered)
        assert rendered != before, "the guard was not there to be switched off"
    _write(folder, rendered, files or {}, settings)
    sandbox = _sandbox(telephony_rootfs(), folder)
    output_path = folder / "output.log"
    with output_path.open("wb") as output:
        process = subprocess.Popen(
            [*sandbox, *start_command(part, places)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        pid = _innermost(process.pid)
        daemon = RunningDaemon(part, pid, output_path, sandbox)
        wait_until(
            lambda: _ready(daemon, process, settings, places),
            what=lambda: f"{part} ready; it wrote:\n{daemon.output()[-3000:]}",
        )
        yield RunningDaemon(part, _innermost(process.pid), output_path, sandbox)
    finally:
        # coturn takes seconds to close its threads, and nothing of it is worth the wait.
        _stop(process, signal.SIGKILL if part == "coturn" else signal.SIGTERM)


def wait_until(
    condition: Callable[[], bool], *, what: Callable[[], str], within_s: float = _START_MAX_S
) -> None:
    """Wait until ``condition`` holds; fail with ``what`` was awaited when it doesn't."""
    give_up_at = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up_at, f"after {within_s} s still not {what()}"
        time.sleep(0.05)


def _ready(
    daemon: RunningDaemon,
    process: "subprocess.Popen[bytes]",
    settings: Settings,
    places: Places,
) -> bool:
    assert process.poll() is None, f"{daemon.part} ended:\n{daemon.output()[-3000:]}"
    match daemon.part:
        case "asterisk":
            return "fully booted" in daemon.asterisk("core waitfullybooted")
        case "janus":
            return _accepts(settings.network.private_address, settings.janus.api_port)
        case "coturn":
            return _accepts(settings.turn_address(places.media_address), settings.turn.port)


def _accepts(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


def _write(
    folder: Path,
    rendered: dict[PurePosixPath, str],
    files: dict[str, Path],
    settings: Settings,
) -> None:
    for name in _FOLDERS:
        (folder / name).mkdir()
    for path, text in rendered.items():
        (folder / "config" / path).write_text(text)
    write_turn_secrets(folder / "config" / TURN_DATABASE, settings, live_secrets())
    for name, source in files.items():
        shutil.copy(source, folder / "config" / name)
    if os.geteuid() == 0:
        for owned in (folder, *folder.rglob("*")):
            shutil.chown(owned, _USER_ID, _GROUP_ID)


def _sandbox(rootfs: Path, folder: Path) -> tuple[str, ...]:
    step_down = ("setpriv", f"--reuid={_USER_ID}", f"--regid={_GROUP_ID}", "--clear-groups")
    return (
        *("bwrap", "--ro-bind", str(rootfs), "/", "--proc", "/proc", "--dev", "/dev"),
        *("--tmpfs", "/tmp", "--tmpfs", "/run"),  # noqa: S108 the sandbox's own
        *("--bind", str(folder), "/talkbutton", "--chdir", "/talkbutton"),
        *("--ro-bind", str(folder / "config"), "/talkbutton/config"),
        *("--unshare-pid", "--unshare-ipc", "--die-with-parent", "--"),
        *(step_down if os.geteuid() == 0 else ()),
    )


def _innermost(pid: int) -> int:
    """Return the pid of the daemon at the end of its chain of sandbox processes."""
    while children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        pid = int(children[0])
    return pid


def _stop(process: "subprocess.Popen[bytes]", how: signal.Signals) -> None:
    """End the daemon, then whatever is left of its sandbox."""
    if process.poll() is None:
        os.kill(_innermost(process.pid), how)
        try:
            process.wait(_STOP_MAX_S)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait(_STOP_MAX_S)


def _kernel_sockets(protocol: str) -> Iterator[tuple[str, int, str, str]]:
    """Yield address, port, state and inode of every socket of a protocol."""
    for table in (protocol, f"{protocol}6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            address, port = fields[1].split(":")
            yield _kernel_address(address), int(port, 16), fields[3], fields[9]


def _kernel_address(text: str) -> str:
    """Return an address from the kernel's hexadecimal words of the machine's byte order."""
    words = [bytes.fromhex(text[i : i + 8])[::-1] for i in range(0, len(text), 8)]
    packed = b"".join(words)
    return str(IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed))
