"""Gives a running stack its changed secrets, part by part, without dropping calls where it can.

The edge and the bridge read theirs again on SIGHUP, coturn looks its own up for each visitor.
Janus, Asterisk and the keeper read theirs when they start. Who accepts a new value is given it
before who signs with it.
"""

import asyncio
import os
import signal
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from talkbutton.errors import StackError
from talkbutton.operate.stack.host import ensure_identity
from talkbutton.operate.stack.parts import PART_BY_NAME
from talkbutton.operate.stack.places import Places
from talkbutton.operate.stack.prepare import write_secrets
from talkbutton.operate.stack.status import settings_of_the_running
from talkbutton.operate.stack.supervise import Supervisor
from talkbutton.operate.stack.turn_secrets import apply_turn_secrets
from talkbutton.settings.load import load_secrets, secrets_path
from talkbutton.settings.secrets import PREVIOUS, parts_that_know

__all__ = ["PartNews", "apply_secrets", "parts_to_restart"]

_READ_AGAIN: Mapping[str, frozenset[str]] = {
    "edge": frozenset({"grant_key", "ticket_key", "challenge_key", "turn_secret"}),
    "bridge": frozenset({"ticket_key"}),
    "coturn": frozenset({"turn_secret"}),
}
"""What a part takes anew while it runs."""


@dataclass(frozen=True, slots=True)
class PartNews:
    """What was done about one part.

    Attributes:
        part: Its name.
        did: ``told`` to read its secrets again, or ``restarted``.
    """

    part: str
    did: Literal["told", "restarted"]


def parts_to_restart(changed: Collection[str]) -> list[str]:
    """Return the parts that can't take these secrets while they run, in the order of starting."""
    affected = _affected(changed)
    return [part for part, names in affected.items() if not _is_read_again(part, names)]


async def apply_secrets(
    settings_path: Path, environ: Mapping[str, str], changed: Collection[str]
) -> list[PartNews]:
    """Give each part that runs the secrets that it may know.

    Args:
        settings_path: The settings file, absolute; the secrets file is already written.
        environ: The environment, which may hold settings and secrets.
        changed: Names of the secrets that changed.

    Returns:
        What was done, in order; empty if nothing runs here.

    Raises:
        SettingsError: If the secrets cannot be used.
        StackError: If a part cannot be given its own, or does not stop.
        ConnectionLost: If the supervisor stopped answering meanwhile.
    """
    places = Places(settings_path)
    supervisor = Supervisor(places)
    if not await supervisor.is_up():
        return []
    settings = await asyncio.to_thread(settings_of_the_running, settings_path, environ, places)
    secrets = load_secrets(secrets_path(settings_path), environ)
    to_restart = parts_to_restart(changed)
    done: list[PartNews] = []
    for part in _affected(changed):
        if part == "coturn":
            apply_turn_secrets(places, settings, secrets)
            done.append(PartNews(part, "told"))
            continue
        write_secrets(PART_BY_NAME[part], settings, secrets, places, ensure_identity())
        if part in to_restart:
            await supervisor.restart_part(part)
            done.append(PartNews(part, "restarted"))
        else:
            await _tell(part, supervisor)
            done.append(PartNews(part, "told"))
    return done


def _affected(changed: Collection[str]) -> dict[str, set[str]]:
    """Return the changed secrets of each part that knows some, in the order of starting."""
    known = {name: parts_that_know(name) for name in changed}
    affected = {part: {name for name in changed if part in known[name]} for part in PART_BY_NAME}
    return {part: names for part, names in affected.items() if names}


def _is_read_again(part: str, names: Collection[str]) -> bool:
    taken = _READ_AGAIN.get(part, frozenset())
    return all(name.removesuffix(PREVIOUS) in taken for name in names)


async def _tell(part: str, supervisor: Supervisor) -> None:
    process = (await supervisor.processes()).get(part)
    if process is None or process.pid is None:
        return  # it will read them when it starts
    with suppress(ProcessLookupError):
        os.kill(_program(part, process.pid), signal.SIGHUP)


def _program(part: str, sandbox_pid: int) -> int:
    """Return the process id of the part itself: its sandbox does not pass signals on."""
    pid = sandbox_pid
    while Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == "bwrap":
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        if not children:
            raise StackError(part, "is just starting", hint="run the same command again")
        pid = int(children[0])
    return pid
