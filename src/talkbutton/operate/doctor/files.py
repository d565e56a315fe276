"""Looks at the deployment's files as another user of the machine would."""

import asyncio
import stat
from contextlib import suppress
from functools import partial
from pathlib import Path

from talkbutton.operate.doctor.probe import Outcome, Probe, judge
from talkbutton.operate.doctor.target import Target

__all__ = ["files_probes"]

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_LOG_READ_MAX_BYTES = 20_000_000
_OVERLAP_BYTES = 100  # longer than a secret: one may lie across two pieces


def files_probes(target: Target) -> list[Probe]:
    """Return the looks at a deployment's files."""
    secrets_file, own = target.secrets_file, target.places.own
    return [
        Probe(
            "files.secrets",
            "files",
            f"Reading {secrets_file.name} as another user.",
            "mode 600 or less",
            f"Run: chmod 600 {secrets_file}",
            partial(asyncio.to_thread, _secrets_mode, target),
        ),
        Probe(
            "files.settings",
            "files",
            f"Changing {target.places.settings.name}, or putting another file in its place, as "
            "another user.",
            "others may not write",
            f"Run: chmod go-w {target.places.settings} {target.places.folder}",
            partial(asyncio.to_thread, _settings_mode, target),
        ),
        Probe(
            "files.rendered",
            "files",
            "Reading what the parts start from (configuration with secrets in it) as another user.",
            "the folders are closed to others, each file has mode 400 or less",
            f"Stop the stack, remove {own / 'config'} and {own / 'run'}, and start it again.",
            partial(asyncio.to_thread, _rendered_modes, target),
        ),
        Probe(
            "files.logs",
            "files",
            "Reading the logs for our secrets.",
            "none is there",
            "Rotate the secrets, remove the log that is named, and report it.",
            partial(asyncio.to_thread, _logs, target),
        ),
    ]


def _secrets_mode(target: Target) -> Outcome:
    mode = stat.S_IMODE(target.secrets_file.stat().st_mode)
    broken = [f"others may read it: mode {mode:o}"] if mode & _OTHERS else []
    return judge(f"mode {mode:o}", broken, tried=1)


def _settings_mode(target: Target) -> Outcome:
    broken = []
    for path in (target.places.settings, target.places.folder):
        found = path.stat()
        is_sticky = bool(found.st_mode & stat.S_ISVTX)
        if found.st_mode & _OTHERS_WRITE and not is_sticky:
            broken.append(f"others may write {path}: mode {stat.S_IMODE(found.st_mode):o}")
    return judge("others may not write", broken, tried=2)


def _rendered_modes(target: Target) -> Outcome:
    places = target.places
    parts = [*places.run.glob("*/"), *(places.own / "config").glob("*/")]
    inside = [path for part in parts for path in sorted(part.rglob("*"))]
    closed = [places.own, places.run, places.log, places.state, *parts, *inside]
    broken = []
    for path in closed:
        mode = stat.S_IMODE(path.stat().st_mode)
        is_secret = path.is_dir() or path.is_file()
        if is_secret and mode & _OTHERS:
            broken.append(f"{path.relative_to(places.folder)} has mode {mode:o}")
    return judge(f"looked at {len(closed)}: all closed", broken, tried=len(parts))


def _logs(target: Target) -> Outcome:
    secrets = {name: secret.encode() for name, secret in target.secret_values().items()}
    broken, seen = [], 0
    for path in sorted(target.places.log.rglob("*")):
        with suppress(OSError):
            found = _names_in(path, secrets)
            seen += 1
            broken += [f"{path.name} holds {name}" for name in sorted(found)]
    return judge(f"read {seen} logs, found none", broken, tried=seen)


def _names_in(path: Path, secrets: dict[str, bytes]) -> set[str]:
    """Return which secrets stand in a log, as far as its last bytes go."""
    found: set[str] = set()
    with path.open("rb") as log:
        size = log.seek(0, 2)
        log.seek(max(0, size - _LOG_READ_MAX_BYTES))
        before = b""
        while piece := log.read(1 << 20):
            found |= {name for name, secret in secrets.items() if secret in before + piece}
            before = piece[-_OVERLAP_BYTES:]
    return found
