"""What the doctor's tests share: a target made of one daemon, and its probes' outcomes."""

import asyncio
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from support.daemons import RunningDaemon, live_secrets, live_settings, media_address
from talkbutton.operate.doctor import Outcome, Target, all_probes, choose_probes, examine
from talkbutton.operate.stack.places import Places
from talkbutton.rules.render import Places as RenderPlaces
from talkbutton.rules.render import TelephonyPart, render_all
from talkbutton.settings.model import Settings

__all__ = ["daemon_target", "examine_only", "mutated"]


def daemon_target(daemon: RunningDaemon, settings: Settings | None = None) -> Target:
    """Return a deployment of which one daemon runs."""
    folder = daemon.output_path.parent
    return Target(
        resolved(settings or live_settings()),
        live_secrets(),
        folder / "talkbutton.secrets.toml",
        Places(folder / "talkbutton.toml"),
        pids={daemon.part: daemon.pid},
    )


def resolved(settings: Settings) -> Settings:
    """Return settings in force: the media address is one."""
    network = settings.network.model_copy(update={"media_address": media_address()})
    return settings.model_copy(update={"network": network})


def examine_only(target: Target, *only: str) -> Mapping[str, Outcome]:
    """Run the named probes, or those of the named areas, and return what became of each."""
    findings = asyncio.run(examine(choose_probes(all_probes(target), only)))
    return {finding.probe.name: finding.outcome for finding in findings}


def mutated(
    part: TelephonyPart, folder: Path, file: str, changes: Mapping[str, str]
) -> dict[str, Path]:
    """Return a rendered file with a guard taken away, as ``running_daemon`` wants it.

    Args:
        part: Whose file.
        folder: Where to write it.
        file: Its name.
        changes: What to replace by what; what is not there is left alone, but something must be.
    """
    rendered = render_all(live_settings(), live_secrets(), RenderPlaces(media_address()))
    text = rendered[part][PurePosixPath(file)]
    assert any(old in text for old in changes), f"{file} has none of {list(changes)}"
    for old, new in changes.items():
        text = text.replace(old, new)
    source = folder / f"mutated-{file}"
    source.write_text(text)
    return {file: source}
