"""``talkbutton up``, ``install``, ``status``, ``down`` and ``logs``."""

import asyncio
import json
import os
from collections.abc import Coroutine
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from talkbutton.cli.exit_codes import ExitCode
from talkbutton.cli.options import (
    DEFAULT_SETTINGS,
    AsJson,
    SettingsFile,
    places_of,
    this_data,
    told_plainly,
)
from talkbutton.cli.running import run_until_told
from talkbutton.cli.show import TerminalShow
from talkbutton.operate.stack.beside import beside
from talkbutton.operate.stack.down import stop_running
from talkbutton.operate.stack.follow import follow_logs
from talkbutton.operate.stack.install import Installed, install
from talkbutton.operate.stack.parts import PART_BY_NAME
from talkbutton.operate.stack.readiness import last_lines
from talkbutton.operate.stack.status import PartStatus, read_status
from talkbutton.operate.stack.up import UpOptions, up
from talkbutton.settings.load import secrets_path
from talkbutton.settings.starter import complete_secrets, write_first_settings

__all__ = ["add_stack_commands"]

_LOG_LINES = 40


def up_command(
    settings: SettingsFile = DEFAULT_SETTINGS,
    logs: Annotated[bool, typer.Option("--logs", help="Show the parts' logs too.")] = False,
    with_echotest: Annotated[
        bool, typer.Option("--with-echotest", help="Load Janus's echo plugin, to measure against.")
    ] = False,
    https: Annotated[
        bool,
        typer.Option("--https", help="Serve the local network, with a self-signed certificate."),
    ] = False,
) -> None:
    """Install what is missing, start everything, and stay until Ctrl-C.

    The first run writes talkbutton.toml, secrets beside it and a knowledge folder to fill.

    Examples: `talkbutton up`, `talkbutton up --logs`, `TALKBUTTON_EDGE__PORT=8081 talkbutton up`
    """
    options = UpOptions(
        settings, this_data(), os.environ, with_echotest=with_echotest, with_https=https
    )
    with told_plainly(), TerminalShow() as show:
        _run(_up(options, show, with_logs=logs))


async def _up(options: UpOptions, show: TerminalShow, *, with_logs: bool) -> None:
    if not with_logs:
        await up(options, show)
        return
    places = places_of(options.settings)
    async with beside(follow_logs(places, tuple(PART_BY_NAME), show.say)):
        await up(options, show)


def init_command(settings: SettingsFile = DEFAULT_SETTINGS) -> None:
    """Write settings, secrets and a knowledge folder, where they are missing.

    A secrets file of an older version gets the secrets that this one needs beside those; nothing
    that exists is changed. `up` does the same.

    Examples: `talkbutton init`, `talkbutton init --settings shop/talkbutton.toml`
    """
    with told_plainly():
        written = write_first_settings(settings, os.environ)
        added = complete_secrets(settings, os.environ)
    for path in written:
        typer.echo(f"wrote {path}")
    for name in added:
        typer.echo(f"made {name}, which {secrets_path(settings)} lacked")
    if not written and not added:
        typer.echo("everything is there already")


def install_command() -> None:
    """Install Asterisk, Janus and coturn; what is there already is left alone.

    Examples: `talkbutton install`, `TALKBUTTON_DATA_DIR=/data/talkbutton talkbutton install`
    """
    found: list[Installed] = []

    async def work(show: TerminalShow) -> None:
        found.append(await install(this_data(), show.install_progress))

    with told_plainly(), TerminalShow() as show:
        _run(work(show))
    if not found:
        typer.echo("stopped; the same command carries on from here", err=True)
        raise typer.Exit(ExitCode.STACK)
    versions = ", ".join(f"{name} {version}" for name, version in found[0].versions.items())
    typer.echo(f"{versions} in {found[0].rootfs}")


def status_command(settings: SettingsFile = DEFAULT_SETTINGS, as_json: AsJson = False) -> None:
    """Show every part, asked just now. The exit code is 0 only if all are ready.

    Examples: `talkbutton status`, `talkbutton status --json`
    """
    with told_plainly():
        found = asyncio.run(read_status(settings.absolute(), os.environ))
    if as_json:
        typer.echo(json.dumps({"parts": [asdict(part) for part in found]}, indent=2))
    elif not found:
        typer.echo("not running; start it with `talkbutton up`")
    else:
        Console(highlight=False).print(_status_table(found))
    is_well = bool(found) and all(part.is_ready for part in found)
    raise typer.Exit(ExitCode.OK if is_well else ExitCode.FINDINGS)


def down_command(settings: SettingsFile = DEFAULT_SETTINGS) -> None:
    """Stop the `talkbutton up` that runs in this folder.

    Example: talkbutton down
    """
    with told_plainly():
        is_stopped = stop_running(places_of(settings))
    typer.echo("stopped" if is_stopped else "nothing runs in this folder")


def logs_command(
    part: Annotated[str | None, typer.Argument(help="A part; all parts if left out.")] = None,
    settings: SettingsFile = DEFAULT_SETTINGS,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay and show more.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="Lines of each.", min=1)] = _LOG_LINES,
) -> None:
    """Show what a part wrote.

    Examples: `talkbutton logs edge`, `talkbutton logs -f`, `talkbutton logs asterisk -n 200`
    """
    if part is not None and part not in PART_BY_NAME:
        known = ", ".join(PART_BY_NAME)
        raise typer.BadParameter(f"{part} is no part; parts are {known}")
    parts = (part,) if part else tuple(PART_BY_NAME)
    places = places_of(settings)
    with told_plainly():
        for name in parts:
            for line in last_lines(places.part_log(name), lines):
                typer.echo(line if part else f"{name} | {line}")
        if follow:
            _run(follow_logs(places, parts, typer.echo))


def add_stack_commands(app: typer.Typer) -> None:
    """Add the commands that install, start, watch and stop."""
    app.command("up")(up_command)
    app.command("init")(init_command)
    app.command("install")(install_command)
    app.command("status")(status_command)
    app.command("down")(down_command)
    app.command("logs")(logs_command)


def _run(work: Coroutine[Any, Any, None]) -> None:
    # asyncio's own loop: only it can start processes from the main thread, which must outlive
    # them (PR_SET_PDEATHSIG looks at the thread).
    run_until_told(work, use_uvloop=False)


def _status_table(found: list[PartStatus]) -> Table:
    table = Table("part", "state", "pid", "up for", "what is missing")
    for part in found:
        up_for = "" if part.uptime_s is None else f"{part.uptime_s:.0f} s"
        state = "ready" if part.is_ready else part.state.lower()
        table.add_row(part.part, state, str(part.pid or ""), up_for, part.lacking or "")
    return table
