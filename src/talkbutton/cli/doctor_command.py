"""``talkbutton doctor``: attacks the deployment of this folder and says what broke."""

import asyncio
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from talkbutton.cli.exit_codes import ExitCode
from talkbutton.cli.options import DEFAULT_SETTINGS, AsJson, SettingsFile, this_data, told_plainly
from talkbutton.errors import TalkbuttonError
from talkbutton.operate.doctor import (
    Finding,
    Probe,
    Target,
    all_probes,
    choose_probes,
    count,
    examine,
    look_at,
    record_run,
    render_list,
    render_report,
    report_document,
)

__all__ = ["add_doctor_command", "exit_code"]

_PLAIN_EVERY = 10


def doctor_command(
    settings: SettingsFile = DEFAULT_SETTINGS,
    security: Annotated[
        bool, typer.Option("--security", help="Run the attacks that are safe on our own stack.")
    ] = False,
    only: Annotated[
        str, typer.Option("--only", metavar="NAMES", help="Areas or probes, with commas.")
    ] = "",
    list_only: Annotated[
        bool, typer.Option("--list", help="Say what would be tried, and try nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Attack this folder's own running stack, and say for each attack whether it was refused.

    Traffic goes to the stack's own addresses only. The exit code is 0 if every attack was refused,
    1 if one succeeded, 4 if one could not be tried. The result is recorded in the journal.

    Examples: `talkbutton doctor --security`, `talkbutton doctor --security --only turn,janus`,
    `talkbutton doctor --security --only files --json`, `talkbutton doctor --security --list`
    """
    if not security:
        raise typer.BadParameter("say what to look at: --security")
    with told_plainly():
        target, probes = _choose(settings.absolute(), only, must_run=not list_only)
        if list_only:
            _print_lines(render_list(probes))
            return
        started = time.monotonic()
        findings = _examine(probes)
        duration_s = time.monotonic() - started
        if as_json:
            typer.echo(json.dumps(report_document(findings, duration_s=duration_s), indent=2))
        else:
            _print_lines(render_report(findings, duration_s=duration_s))
        _record(target, findings, duration_s)
    raise typer.Exit(exit_code(findings))


def exit_code(findings: Sequence[Finding]) -> ExitCode:
    """Return 0 only if every attack was tried and refused; an attack that got through beats all."""
    counts = count(findings)
    if counts.broken:
        return ExitCode.FINDINGS
    return ExitCode.STACK if counts.not_tried else ExitCode.OK


def add_doctor_command(app: typer.Typer) -> None:
    """Add ``doctor``."""
    app.command("doctor")(doctor_command)


def _choose(settings: Path, only: str, *, must_run: bool) -> tuple[Target, list[Probe]]:
    names = [name.strip() for name in only.split(",") if name.strip()]
    target = asyncio.run(look_at(settings, os.environ, this_data(), must_run=must_run))
    try:
        return target, choose_probes(all_probes(target), names)
    except ValueError as exc:
        raise typer.BadParameter(f"{exc}; `talkbutton doctor --security --list` lists all") from exc


def _examine(probes: Sequence[Probe]) -> list[Finding]:
    """Run the probes, with progress on standard error: a bar at a terminal, lines elsewhere."""
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f}%"))
    done = 0
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("attacking", total=len(probes))

        def show(finding: Finding) -> None:
            nonlocal done
            done += 1
            bar.update(task, advance=1, description=f"attacked {finding.probe.area}")
            if not console.is_terminal and done % _PLAIN_EVERY == 0:
                console.print(f"{done} of {len(probes)} tried", markup=False)

        return asyncio.run(examine(probes, show))


def _record(target: Target, findings: Sequence[Finding], duration_s: float) -> None:
    """Record the run; that it cannot be recorded does not change what was found."""
    try:
        run_id = asyncio.run(record_run(target.places.journal, findings, duration_s=duration_s))
    except TalkbuttonError as exc:
        typer.echo(f"talkbutton: this run is not recorded: {exc}", err=True)
    else:
        typer.echo(f"recorded as {run_id}", err=True)


def _print_lines(lines: Sequence[str]) -> None:
    for line in lines:
        typer.echo(line)
