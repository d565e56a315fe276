"""Looks at a stack that another process runs."""

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from talkbutton.operate.stack.heartbeats import listening
from talkbutton.operate.stack.parts import parts_for
from talkbutton.operate.stack.places import Places
from talkbutton.operate.stack.prepare import settings_in_force
from talkbutton.operate.stack.probes import Probe, make_probes
from talkbutton.operate.stack.readiness import ask
from talkbutton.operate.stack.supervise import Supervisor
from talkbutton.settings.load import load_secrets, load_settings, secrets_path
from talkbutton.settings.model import Settings

__all__ = ["PartStatus", "read_status", "settings_of_the_running"]

_HEARTBEATS_WAIT_S = 2.5
_POLL_S = 0.25
_ANY_PYTHON_PART = "edge"


@dataclass(frozen=True, slots=True)
class PartStatus:
    """How a part is doing.

    Attributes:
        part: Its name.
        state: supervisord's name for its state.
        pid: Its process id; None while it does not run.
        uptime_s: Seconds since it was started; None while it does not run.
        is_ready: Whether it can do its work now.
        lacking: Why not; None if it can.
    """

    part: str
    state: str
    pid: int | None
    uptime_s: float | None
    is_ready: bool
    lacking: str | None


async def read_status(settings_path: Path, environ: Mapping[str, str]) -> list[PartStatus]:
    """Ask every part once; empty if nothing runs.

    Args:
        settings_path: The settings file, absolute.
        environ: The environment, which may hold settings.

    Raises:
        SettingsError: If the settings cannot be used.
        ConnectionLost: If the supervisor stopped answering meanwhile.
    """
    places = Places(settings_path)
    supervisor = Supervisor(places)
    if not await supervisor.is_up():
        return []
    settings = await asyncio.to_thread(settings_of_the_running, settings_path, environ, places)
    secrets = load_secrets(secrets_path(settings_path), environ)
    async with listening(places, f"status-{os.getpid()}") as heartbeats:
        probes = make_probes(settings, secrets, places, heartbeats)
        parts = parts_for(settings)
        lacking = await asyncio.gather(*(_ask_patiently(probes[part.name]) for part in parts))
    processes = await supervisor.processes()
    found = []
    for part, lack in zip(parts, lacking, strict=True):
        process = processes[part.name]
        uptime_s = None if process.pid is None else time.time() - process.started_unix
        found.append(
            PartStatus(part.name, process.state, process.pid, uptime_s, lack is None, lack)
        )
    return found


def settings_of_the_running(path: Path, environ: Mapping[str, str], places: Places) -> Settings:
    """Return what the parts were started with: the environment may differ now."""
    in_force = places.part_settings(_ANY_PYTHON_PART)
    if in_force.exists():
        return load_settings(in_force, {})
    return settings_in_force(load_settings(path, environ), places.folder)


async def _ask_patiently(probe: Probe) -> str | None:
    """Ask again for a while: the next heartbeat is a second away."""
    deadline = time.monotonic() + _HEARTBEATS_WAIT_S
    lacking = await ask(probe)
    while lacking is not None and time.monotonic() < deadline:
        await asyncio.sleep(_POLL_S)
        lacking = await ask(probe)
    return lacking
