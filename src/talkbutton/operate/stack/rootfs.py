"""Runs mmdebstrap, so that it can be stopped at any time and nothing of it stays behind."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from talkbutton.errors import StackError
from talkbutton.operate.stack.host import FLOORS, Suite, version_of
from talkbutton.operate.stack.places import DataPlaces
from talkbutton.operate.stack.progress import AptProgress, Progress, blame

__all__ = ["MIRROR_VARIABLE", "build_rootfs", "keep_packages", "mmdebstrap_argv", "read_versions"]

MIRROR_VARIABLE = "TALKBUTTON_DEBIAN_MIRROR"
"""Names another package mirror for the telephony programs."""

_PACKAGES = "asterisk,janus,coturn,asterisk-core-sounds-en-gsm"
_IGNORE_EXPIRY = '--aptopt=Acquire::Check-Valid-Until "false"'
_EXPIRED = "is expired"
_KEPT_LINES = 400
_VERSION_TIMEOUT_S = 20
_VERSION_COMMANDS = {
    "asterisk": ["asterisk", "-V"],
    "janus": ["janus", "--version"],
    "coturn": ["turnserver", "--version"],
}


async def build_rootfs(
    data: DataPlaces, suite: Suite, report: Callable[[Progress], None], *, is_root: bool
) -> None:
    """Fill ``data.rootfs_partial``.

    Raises:
        StackError: If it fails; what was downloaded is kept for the next time.
    """
    data.packages.mkdir(exist_ok=True)
    status, said = await _try(data, suite, report, is_root=is_root, ignore_expiry=False)
    if status and _EXPIRED in said:
        news = "the mirror's Release file is expired: going on without the check of its date"
        report(Progress(0.0, news, is_notable=True))
        _discard_partial(data)
        status, said = await _try(data, suite, report, is_root=is_root, ignore_expiry=True)
    if status:
        keep_packages(data)
        problem, hint = blame(said)
        raise StackError("install", problem, hint=hint)
    if not is_root:
        await asyncio.to_thread(_unpack, data)
    (data.rootfs_partial / "talkbutton").mkdir(exist_ok=True)


def mmdebstrap_argv(
    data: DataPlaces, suite: Suite, mirror: str | None, *, is_root: bool, ignore_expiry: bool
) -> list[str]:
    """Return the command line; as root in mounts and processes of its own, which end with it."""
    # apt takes packages from its cache where they are whole; the essential ones are kept at once,
    # the others are found in the unfinished root.
    archives = '"$1"/var/cache/apt/archives'
    store = f"'{data.packages}'"
    feed = f"mkdir -p {archives} && find {store} -name '*.deb' -exec cp -lt {archives} {{}} +"
    save = f"find {archives} -maxdepth 1 -name '*.deb' -exec cp -lft {store} {{}} +"
    if not is_root:  # another user id inside: hard links are not allowed
        feed, save = feed.replace("-lt", "-t"), "true"
    argv = ["setpriv", "--pdeathsig", "KILL"]
    if is_root:
        argv += ["unshare", "--fork", "--pid", "--mount", "--kill-child=KILL"]
    argv += ["mmdebstrap", "--verbose", "--variant=minbase"]
    argv += [f"--components={suite.components}", f"--include={_PACKAGES}"]
    argv += [f"--mode={'root' if is_root else 'unshare'}"]
    argv += [f"--setup-hook={feed}", f"--extract-hook={save}"]
    if ignore_expiry:
        argv.append(_IGNORE_EXPIRY)
    argv += ["--format=directory"] if is_root else ["--format=tar"]
    argv += [suite.name, str(data.rootfs_partial if is_root else _tar(data))]
    return [*argv, mirror] if mirror else argv


def keep_packages(data: DataPlaces) -> None:
    """Save the packages that an unfinished root holds."""
    data.packages.mkdir(parents=True, exist_ok=True)
    for package in (data.rootfs_partial / "var/cache/apt/archives").glob("*.deb"):
        kept = data.packages / package.name
        if not kept.exists():
            with suppress(OSError):
                os.link(package, kept)


def read_versions(rootfs: Path) -> dict[str, str]:
    """Run each telephony program once and return its version.

    Raises:
        StackError: If one does not run, or is too old.
    """
    versions = {}
    for name, command in _VERSION_COMMANDS.items():
        said = _say_version(name, rootfs, command)
        version = version_of(said.split("(", 1)[-1] if name == "janus" else said)
        if version < FLOORS[name]:
            wanted = ".".join(str(number) for number in FLOORS[name])
            raise StackError(
                name,
                f"the packages bring {said.splitlines()[0] if said else 'no version'!r}, "
                f"{wanted} is needed",
                hint=f"try again later, or with another {MIRROR_VARIABLE}",
            )
        versions[name] = ".".join(str(number) for number in version)
    return versions


def _say_version(name: str, rootfs: Path, command: list[str]) -> str:
    sandbox = ["bwrap", "--ro-bind", str(rootfs), "/", "--proc", "/proc", "--dev", "/dev"]
    sandbox += ["--tmpfs", "/tmp", "--unshare-all", "--die-with-parent"]  # noqa: S108
    try:
        done = subprocess.run(
            [*sandbox, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_VERSION_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise StackError(name, f"does not run: {exc}", hint="run the installation again") from exc
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it said nothing"]
        raise StackError(name, f"does not run: {said[0]}", hint="run the installation again")
    return done.stdout.strip()


async def _try(
    data: DataPlaces,
    suite: Suite,
    report: Callable[[Progress], None],
    *,
    is_root: bool,
    ignore_expiry: bool,
) -> tuple[int, str]:
    argv = mmdebstrap_argv(
        data, suite, os.environ.get(MIRROR_VARIABLE), is_root=is_root, ignore_expiry=ignore_expiry
    )
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )
    progress = AptProgress()
    said: deque[str] = deque(maxlen=_KEPT_LINES)
    assert process.stdout is not None
    try:
        async for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip()
            said.append(line)
            if news := progress.read(line):
                report(news)
        return await process.wait(), "\n".join(said)
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            keep_packages(data)


def _discard_partial(data: DataPlaces) -> None:
    keep_packages(data)
    if data.rootfs_partial.exists():
        shutil.rmtree(data.rootfs_partial)


def _tar(data: DataPlaces) -> Path:
    return data.telephony / "rootfs.tar"


def _unpack(data: DataPlaces) -> None:
    """Unpack as an ordinary user: everything becomes that user's own."""
    data.rootfs_partial.mkdir(exist_ok=True)
    argv = ["tar", "--extract", "--file", str(_tar(data)), "--directory"]
    argv += [str(data.rootfs_partial), "--no-same-owner", "--exclude=./dev/*"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    _tar(data).unlink(missing_ok=True)
    if done.returncode:
        problem, hint = blame(done.stderr)
        raise StackError("install", problem, hint=hint)
