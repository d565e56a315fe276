"""``talkbutton calls``: what the journal knows about calls, and ending one."""

import asyncio
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from talkbutton.cli.exit_codes import ExitCode
from talkbutton.cli.options import (
    DEFAULT_SETTINGS,
    AsJson,
    SettingsFile,
    places_of,
    told_plainly,
)
from talkbutton.errors import SettingsError, StackError
from talkbutton.events import CallEvent, to_json_line
from talkbutton.operate.calls import end_call
from talkbutton.operate.stack.places import Places
from talkbutton.runtime.journal import CallSummary, JournalReader
from talkbutton.runtime.ledger import Ledger, make_ledger
from talkbutton.settings.load import load_secrets, load_settings, secrets_path

__all__ = ["calls_app", "timeline"]

calls_app = typer.Typer(no_args_is_help=False)

_STALE_S = 30.0
_ID_SHOWN_CHARS = 16


@calls_app.callback(invoke_without_command=True)
def list_calls(
    context: typer.Context,
    settings: SettingsFile = DEFAULT_SETTINGS,
    as_json: AsJson = False,
    limit: Annotated[int, typer.Option(help="Show at most so many calls.", min=1)] = 20,
) -> None:
    """List the latest calls, newest first.

    Examples: `talkbutton calls`, `talkbutton calls --json --limit 100`, `talkbutton calls show ID`
    """
    if context.invoked_subcommand is not None:
        return
    with told_plainly():
        places = places_of(settings)
        found = asyncio.run(_reader(places).calls(limit=limit)) if places.journal.exists() else []
    if as_json:
        typer.echo(json.dumps([asdict(call) for call in found], indent=2))
    elif not found:
        typer.echo("no calls yet")
    else:
        Console(highlight=False).print(_table(found))


@calls_app.command("show")
def show_call(
    call_id: Annotated[str, typer.Argument(help="A call's id, or its beginning.")],
    settings: SettingsFile = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Show everything that happened to one call, in order.

    Examples: `talkbutton calls show 019ab3`, `talkbutton calls show 019ab3 --json`
    """
    found = _events_of_one(places_of(settings), call_id)
    if as_json:
        for event in found:
            typer.echo(to_json_line(event))
        return
    for line in timeline(found):
        typer.echo(line)


@calls_app.command("end")
def end_one_call(
    call_id: Annotated[str, typer.Argument(help="A call's id, or its beginning.")],
    settings: SettingsFile = DEFAULT_SETTINGS,
) -> None:
    """End one call now; its permission can start nothing any more.

    Example: `talkbutton calls end 019ab3`
    """
    places = places_of(settings)
    whole_id = _events_of_one(places, call_id)[0].call_id
    with told_plainly():
        was_going_on = asyncio.run(_end(whole_id, places))
    typer.echo("ended" if was_going_on else "it was not going on; it cannot start any more")


def timeline(events: Sequence[CallEvent]) -> list[str]:
    """Return a call's events as lines: milliseconds since the first, program, event, measures."""
    first = events[0]
    started = datetime.fromtimestamp(first.at_unix, UTC).astimezone()
    lines = [f"call {first.call_id}, {started:%Y-%m-%d %H:%M:%S %Z}"]
    program_width = max(len(event.program) for event in events)
    name_width = max(len(event.name) for event in events)
    for event in events:
        offset_ms = round((event.at_unix - first.at_unix) * 1000)
        measures = " ".join(f"{key}={_shown(value)}" for key, value in event.data.items())
        line = f"{offset_ms:+8d} ms  {event.program:{program_width}}  {event.name:{name_width}}"
        lines.append(f"{line}  {measures}".rstrip())
    return lines


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)


def _events_of_one(places: Places, call_id: str) -> list[CallEvent]:
    """Return the events of the one call whose id begins so; leave with words if it is not one."""
    with told_plainly():
        found = asyncio.run(_reader(places).events(call_id)) if places.journal.exists() else []
    ids = sorted({event.call_id for event in found})
    if len(ids) != 1:
        problem = f"{len(ids)} calls begin with" if ids else "there is no call"
        typer.echo(f"talkbutton: {problem} {call_id}; `talkbutton calls` lists them", err=True)
        for one in ids[:10]:
            typer.echo(f"  {one}", err=True)
        raise typer.Exit(ExitCode.FINDINGS)
    return found


async def _end(call_id: str, places: Places) -> bool:
    ledger = _ledger(places)
    await ledger.open()
    try:
        return await end_call(call_id, ledger, places.state, now_unix=time.time())
    finally:
        await ledger.close()


def _ledger(places: Places) -> Ledger:
    limits = load_settings(places.settings, os.environ).limits
    if limits.store == "memory":
        raise SettingsError(
            "limits.store", "is memory, which nobody else can reach", hint="use sqlite or redis"
        )
    password = None
    if limits.store == "redis":
        password = load_secrets(secrets_path(places.settings)).redis_password
    elif not places.ledger.exists():
        raise StackError("calls", "no edge has run here yet", hint="start it with `talkbutton up`")
    return make_ledger(
        limits,
        state_dir=places.state,
        redis_password=None if password is None else password.get_secret_value(),
    )


def _reader(places: Places) -> JournalReader:
    return JournalReader(places.journal)


def _table(found: Sequence[CallSummary]) -> Table:
    table = Table("call", "started", "seconds", "events", "ended by")
    now = time.time()
    for call in found:
        started = datetime.fromtimestamp(call.started_unix, UTC).astimezone()
        is_open = call.cause is None and now - call.ended_unix < _STALE_S
        table.add_row(
            call.call_id[:_ID_SHOWN_CHARS],
            f"{started:%Y-%m-%d %H:%M:%S}",
            f"{call.ended_unix - call.started_unix:.1f}",
            str(call.events),
            call.cause or ("going on" if is_open else "not said"),
        )
    return table
