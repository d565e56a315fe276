"""The deployment that is examined: its settings in force, its secrets, its processes.

Probes send to the addresses that stand here and to no others.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from talkbutton.errors import StackError
from talkbutton.operate.stack.install import installed
from talkbutton.operate.stack.places import DataPlaces, Places
from talkbutton.operate.stack.status import settings_of_the_running
from talkbutton.operate.stack.supervise import Supervisor
from talkbutton.settings.load import load_part_secrets, secrets_path
from talkbutton.settings.model import Secrets, Settings

__all__ = ["Target", "look_at"]

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True, slots=True)
class Target:
    """One deployment.

    Attributes:
        settings: Settings in force: ``network.media_address`` is an address.
        secrets: All secrets.
        secrets_file: Where they are.
        places: Folders.
        versions: Version of each telephony program, where it is known.
        pids: Process of each part that runs: the outermost of its sandbox.
    """

    settings: Settings
    secrets: Secrets = field(repr=False)
    secrets_file: Path
    places: Places
    versions: Mapping[str, str] = field(default_factory=dict)
    pids: Mapping[str, int] = field(default_factory=dict)

    @property
    def private(self) -> str:
        """Where everything private listens."""
        return self.settings.network.private_address

    @property
    def media(self) -> str:
        """Where browsers send media to."""
        return self.settings.network.media_address

    @property
    def turn_address(self) -> str:
        """Where coturn listens."""
        return self.settings.turn_address(self.media)

    @property
    def edge_address(self) -> str:
        """Where the edge is asked."""
        listen = self.settings.edge.listen_address
        return _EVERYWHERE.get(listen, listen)

    def now_unix(self) -> int:
        """Return the time, in Unix seconds."""
        return int(time.time())

    def secret_values(self) -> dict[str, str]:
        """Return every secret that is set, by name."""
        return {
            name: secret.get_secret_value()
            for name in Secrets.model_fields
            if (secret := getattr(self.secrets, name)) is not None
        }


async def look_at(
    settings_path: Path, environ: Mapping[str, str], data: DataPlaces, *, must_run: bool
) -> Target:
    """Return the deployment of a settings file.

    Args:
        settings_path: The settings file, absolute.
        environ: The environment, which may hold settings.
        data: Where the telephony programs are.
        must_run: Whether it has to run now.

    Raises:
        SettingsError: If the settings or secrets cannot be used.
        StackError: If it does not run, or belongs to another user.
    """
    places = Places(settings_path)
    try:
        pids = await _pids(places)
        if must_run and not pids:
            raise StackError("doctor", "nothing runs in this folder", hint="run `talkbutton up`")
        settings = await asyncio.to_thread(settings_of_the_running, settings_path, environ, places)
    except PermissionError as exc:
        who = f"user {places.own.stat().st_uid}" if places.own.exists() else "its owner"
        raise StackError(
            "doctor", f"{exc.filename} may not be read", hint=f"run it as {who}, or as root"
        ) from exc
    path = secrets_path(settings_path)
    # Readable by others is a finding here, not the end.
    secrets = load_part_secrets(path, Secrets, environ, may_others_read=True)
    found = installed(data)
    return Target(settings, secrets, path, places, found.versions if found else {}, pids)


async def _pids(places: Places) -> dict[str, int]:
    supervisor = Supervisor(places)
    if not await supervisor.is_up():
        return {}
    processes = await supervisor.processes()
    return {name: process.pid for name, process in processes.items() if process.pid}
