"""Installs Asterisk, Janus and coturn into a root file system of their own.

The distribution's own packages are used where they are new enough, else those of Debian sid;
either way they live in a folder, start no service and change nothing on the machine. The folder is
built under another name and renamed when it is whole, so it is there or it is not. An interrupted
installation leaves its downloaded packages behind, and the next one uses them.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from talkbutton.errors import StackError
from talkbutton.operate.stack.host import FLOORS, Suite, choose_suite, ensure_tools
from talkbutton.operate.stack.places import DataPlaces
from talkbutton.operate.stack.progress import Progress
from talkbutton.operate.stack.rootfs import build_rootfs, keep_packages, read_versions

__all__ = ["Installed", "Report", "install", "installed"]

Report = Callable[[Progress], None]
"""Takes the progress of an installation."""

_FORM = 1
_STAMP = Path("etc/talkbutton.json")
_FREE_MIN_BYTES = 2 * 1000**3


@dataclass(frozen=True, slots=True)
class Installed:
    """Telephony programs that are ready to run.

    Attributes:
        rootfs: The root file system they are in.
        suite: The distribution release they came from.
        versions: Version of each program.
    """

    rootfs: Path
    suite: str
    versions: dict[str, str]


def installed(data: DataPlaces) -> Installed | None:
    """Return what is installed; None where nothing whole and new enough is."""
    try:
        stamp = json.loads((data.rootfs / _STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    match stamp:
        case {"form": int(form), "suite": str(suite), "versions": dict(versions)}:
            if form == _FORM and FLOORS.keys() <= versions.keys():
                return Installed(data.rootfs, suite, versions)
    return None


async def install(data: DataPlaces, report: Report) -> Installed:
    """Install what is missing and return it; what is there already is left alone.

    Raises:
        StackError: If it cannot be done on this machine, now; says what to do.
    """
    if found := installed(data):
        return found
    is_root = os.geteuid() == 0
    suite = Suite("sid")
    ensure_tools(suite, is_root=is_root)
    suite = choose_suite()
    ensure_tools(suite, is_root=is_root)
    _make_folder(data.telephony)
    with _only_one(data):
        if found := installed(data):
            return found
        _check_space(data.telephony)
        _clear_partial(data)
        await build_rootfs(data, suite, report, is_root=is_root)
        report(Progress(0.98, "checking the programs"))
        versions = read_versions(data.rootfs_partial)
        _finish(data, suite, versions)
    report(Progress(1.0, "installed"))
    return Installed(data.rootfs, suite.name, versions)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise StackError(
            "install",
            f"{folder} cannot be made: {exc.strerror}",
            hint="set TALKBUTTON_DATA_DIR to a folder you may write to",
        ) from exc


@contextmanager
def _only_one(data: DataPlaces) -> Iterator[None]:
    with data.install_lock.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise StackError(
                "install",
                f"another installation is running (process {lock.read().strip() or 'unknown'})",
                hint="wait until it is done, then run the same command again",
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _check_space(folder: Path) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < _FREE_MIN_BYTES:
        raise StackError(
            "install",
            f"{folder} has {free_bytes / 1e9:.1f} GB free, 2 GB are needed",
            hint="free some space, or set TALKBUTTON_DATA_DIR to another disk",
        )


def _clear_partial(data: DataPlaces) -> None:
    """Remove what an interrupted installation left, but keep its downloaded packages."""
    keep_packages(data)
    if data.rootfs_partial.exists():
        _remove(data.rootfs_partial)


def _finish(data: DataPlaces, suite: Suite, versions: dict[str, str]) -> None:
    stamp = {"form": _FORM, "suite": suite.name, "versions": versions}
    path = data.rootfs_partial / _STAMP
    path.write_text(json.dumps(stamp, indent=2) + "\n", encoding="utf-8")
    os.sync()
    if data.rootfs.exists():  # one of another form, or too old
        _remove(data.rootfs)
    data.rootfs_partial.rename(data.rootfs)
    if data.packages.exists():
        _remove(data.packages)


def _remove(folder: Path) -> None:
    """Remove a folder that nothing is mounted in.

    Raises:
        StackError: If something is mounted below it: then removing could reach beyond it.
    """
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    inside = [line.split()[4] for line in mounts if line.split()[4].startswith(f"{folder}/")]
    if inside:
        raise StackError(
            "install", f"{inside[0]} is mounted", hint=f"run: umount {inside[0]}, then try again"
        )
    shutil.rmtree(folder)
