"""Starts everything on this machine, keeps watch over it, and stops everything again."""

import asyncio
import fcntl
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from talkbutton.errors import ConnectionLost, SettingsError, StackError
from talkbutton.operate.stack import host
from talkbutton.operate.stack.beside import beside
from talkbutton.operate.stack.certificates import (
    CertificateCopy,
    edge_certificate,
    turn_certificate,
)
from talkbutton.operate.stack.diary import PartNews, read_diary
from talkbutton.operate.stack.follow import LogTail
from talkbutton.operate.stack.heartbeats import Heartbeats, listening
from talkbutton.operate.stack.install import install, installed
from talkbutton.operate.stack.lan import https_on_lan
from talkbutton.operate.stack.parts import Part, parts_for
from talkbutton.operate.stack.places import DataPlaces, Places
from talkbutton.operate.stack.ports import check_ports
from talkbutton.operate.stack.prepare import prepare, settings_in_force
from talkbutton.operate.stack.probes import Probe, make_probes
from talkbutton.operate.stack.progress import Progress
from talkbutton.operate.stack.readiness import wait_ready
from talkbutton.operate.stack.supervise import Supervisor
from talkbutton.settings.load import load_secrets, load_settings, secrets_path
from talkbutton.settings.model import Secrets, Settings
from talkbutton.settings.starter import complete_secrets, write_first_settings

__all__ = ["Show", "UpOptions", "up"]

_WATCH_S = 0.5
_CERTIFICATE_S = 2.0
_COTURN = "coturn"
_RETRY_FATAL_S = 15.0
_STILL_STOPPING_S = 15.0
_LOCK_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What a person may ask ``up`` for.

    Attributes:
        settings: The settings file.
        data: Where the telephony programs are kept.
        environ: The environment, which may hold settings.
        with_echotest: Load Janus's echo plugin too.
        with_https: Serve the local network over https, with a certificate of its own.
    """

    settings: Path
    data: DataPlaces
    environ: Mapping[str, str]
    with_echotest: bool = False
    with_https: bool = False


class Show(Protocol):
    """Takes what a person should see."""

    def say(self, text: str) -> None:
        """Show one line."""

    def install_progress(self, progress: Progress) -> None:
        """Show how far the installation is."""

    def part_news(self, news: PartNews) -> None:
        """Show what became of a part."""

    def is_open(self, settings: Settings) -> None:
        """Say that calls can be made, and where."""


async def up(options: UpOptions, show: Show) -> None:
    """Run the stack until cancelled; on every way out, nothing is left running.

    Raises:
        SettingsError: If the settings cannot be used.
        StackError: If something cannot be installed or started.
    """
    for written in write_first_settings(options.settings, options.environ):
        show.say(f"wrote {written}")
    if added := complete_secrets(options.settings, options.environ):
        show.say(f"made new secrets, which this version needs: {', '.join(added)}")
    settings = load_settings(options.settings, options.environ)
    secrets = load_secrets(secrets_path(options.settings), options.environ)
    places = Places(options.settings.absolute())
    places.check()
    places.run.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _only_one(places):
        await _until_nothing_is_left(places, show)
        if installed(options.data) is None:
            show.say("installing Asterisk, Janus and coturn (once for this machine)")
        rootfs = (await install(options.data, show.install_progress)).rootfs
        identity = host.ensure_identity()
        host.check_sandbox()
        if options.with_https:
            settings, said = https_on_lan(settings, places.folder)
            for line in said:
                show.say(line)
        certificates = (
            edge_certificate(settings.edge, places, identity),
            turn_certificate(settings, places, identity),
        )
        settings = settings_in_force(settings, places.folder)
        check_ports(settings)
        prepare(
            settings,
            secrets,
            places,
            rootfs,
            identity,
            certificates=certificates,
            with_echotest=options.with_echotest,
        )
        await _run(settings, secrets, places, certificates, show)


@contextmanager
def _only_one(places: Places) -> Iterator[None]:
    with places.up_lock.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(
                "up",
                f"talkbutton is already running in this folder (process {_pid(lock)})",
                hint="use that one (`talkbutton status`), or stop it with `talkbutton down`",
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _pid(lock: IO[str]) -> str:
    lock.seek(0)
    return lock.read().strip() or "unknown"


async def _until_nothing_is_left(places: Places, show: Show) -> None:
    """Wait for the parts of an ``up`` that was killed: they are stopping."""
    before = Supervisor(places)
    if not before.is_left():
        return
    show.say("an earlier run is still stopping")
    deadline = time.monotonic() + _STILL_STOPPING_S
    while before.is_left():
        if time.monotonic() > deadline:
            raise StackError(
                "up",
                "the parts of an earlier run do not stop",
                hint=f"end the process in {places.supervisor_pid}",
            )
        await asyncio.sleep(_LOCK_POLL_S)


async def _run(
    settings: Settings,
    secrets: Secrets,
    places: Places,
    certificates: Sequence[CertificateCopy],
    show: Show,
) -> None:
    supervisor = Supervisor(places)
    try:
        async with listening(places, f"up-{os.getpid()}") as heartbeats:
            parts = parts_for(settings)
            await supervisor.start(parts)
            probes = make_probes(settings, secrets, places, heartbeats)
            await _start(parts, probes, supervisor, places, show)
            show.is_open(settings)
            async with beside(_renew(certificates, supervisor, show)):
                await _watch(supervisor, places, heartbeats, show)
    finally:
        show.say("stopping")
        await asyncio.shield(supervisor.stop())


async def _start(
    parts: Sequence[Part],
    probes: Mapping[str, Probe],
    supervisor: Supervisor,
    places: Places,
    show: Show,
) -> None:
    """Start all parts at once and wait until all are ready.

    Raises:
        StackError: For the first part that fails.
    """
    for part in parts:
        show.part_news(PartNews(part.name, "starting"))
        await supervisor.start_part(part.name)

    async def become_ready(part: Part, started: float) -> None:
        await wait_ready(part, probes[part.name], supervisor, places)
        show.part_news(PartNews(part.name, "ready", time.monotonic() - started))

    try:
        async with asyncio.TaskGroup() as tasks:
            for part in parts:
                tasks.create_task(become_ready(part, time.monotonic()))
    except* (StackError, ConnectionLost) as group:
        raise _first(group) from None


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


async def _renew(
    certificates: Sequence[CertificateCopy], supervisor: Supervisor, show: Show
) -> None:
    """Give parts their new certificates when the files change, until cancelled; no call is dropped.

    A file that is half written, or a key that does not belong to it, is tried again when it
    changes; until then the part keeps what it has.
    """
    while True:
        await asyncio.sleep(_CERTIFICATE_S)
        for certificate in certificates:
            if not certificate.has_changed():
                continue
            try:
                certificate.copy()
                if certificate.part == _COTURN:  # the edge looks by itself
                    await supervisor.signal_part(_COTURN, signal.SIGUSR2)
            except (SettingsError, ConnectionLost, OSError) as exc:
                show.say(f"{certificate.part} keeps its certificate: {exc}")
            else:
                show.say(f"{certificate.part} has a new certificate")


async def _watch(
    supervisor: Supervisor,
    places: Places,
    heartbeats: Heartbeats,
    show: Show,
) -> None:
    """Say which parts die and come back, until cancelled; start anew what was given up.

    Raises:
        StackError: If supervisord is gone.
    """
    diary = LogTail(places.supervisor_log)
    given_up_at: dict[str, float] = {}
    while True:
        await asyncio.sleep(_WATCH_S)
        supervisor.check_alive()
        for line in diary.read():
            news = read_diary(line)
            if news is None:
                continue
            show.part_news(news)
            heartbeats.forget(news.part)
            if news.state == "given up":
                given_up_at[news.part] = time.monotonic()
        for name, at in list(given_up_at.items()):
            if time.monotonic() - at > _RETRY_FATAL_S:
                del given_up_at[name]
                await supervisor.start_part(name)
