"""``talkbutton secrets``: rotate them, and see how old they are. No value is ever printed."""

import asyncio
import json
import os
import time
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from talkbutton.cli.options import DEFAULT_SETTINGS, AsJson, SettingsFile, places_of, told_plainly
from talkbutton.errors import SettingsError
from talkbutton.operate.stack.rotation import apply_secrets, parts_to_restart
from talkbutton.operate.stack.supervise import Supervisor
from talkbutton.settings.load import load_secrets, secrets_path
from talkbutton.settings.rotation import ROTATABLE, drop_previous, previous_of, rotate
from talkbutton.settings.secrets import Secrets, parts_that_know
from talkbutton.settings.secrets_environment import given_secrets
from talkbutton.settings.secrets_file import (
    SecretsFile,
    new_secret,
    read_secrets_file,
    write_secrets_file,
)

__all__ = ["secrets_app"]

secrets_app = typer.Typer(help="Rotate secrets; see how old they are. Values are never shown.")

Names = Annotated[list[str] | None, typer.Argument(help="Secrets, such as grant_key.")]
Restart = Annotated[
    bool, typer.Option("--restart", help="Restart the parts that need it; calls may end.")
]
_DAY_S = 86_400


@secrets_app.command("rotate")
def rotate_command(
    names: Names = None,
    every: Annotated[bool, typer.Option("--all", help="All that talkbutton makes.")] = False,
    restart: Restart = False,
    settings: SettingsFile = DEFAULT_SETTINGS,
) -> None:
    """Make new values, write them, and give them to the parts that run.

    grant_key, ticket_key and turn_secret keep their old value beside the new one, so that nobody
    who holds something signed with it is turned away. Drop it later with `drop-previous`.

    Examples: `talkbutton secrets rotate grant_key ticket_key`,
    `talkbutton secrets rotate --all --restart`
    """
    if bool(names) == every:
        raise typer.BadParameter("name some secrets, or say --all")
    wanted = tuple(names or ROTATABLE)
    with told_plainly():
        _refuse_given(wanted)
        path = secrets_path(settings)
        new = {name: new_secret() for name in wanted}
        changed = rotate(read_secrets_file(path), new, now_unix=int(time.time()))
        kept = [name for one in wanted if (name := previous_of(one)) is not None]
        _put(settings, changed, {*wanted, *kept}, may_restart=restart)
        typer.echo(f"rotated {', '.join(wanted)}")
    if kept:
        typer.echo("old values are still accepted; end that with: talkbutton secrets drop-previous")


@secrets_app.command("drop-previous")
def drop_previous_command(
    names: Names = None,
    restart: Restart = False,
    settings: SettingsFile = DEFAULT_SETTINGS,
) -> None:
    """Accept the values from before a rotation no longer; all of them, or those of some secrets.

    Examples: `talkbutton secrets drop-previous`, `talkbutton secrets drop-previous grant_key`
    """
    with told_plainly():
        for name in names or ():
            if previous_of(name) is None:
                hint = f"name some of {', '.join(one for one in ROTATABLE if previous_of(one))}"
                raise SettingsError(name, "is not rotated with overlap", hint=hint)
        content, dropped = drop_previous(read_secrets_file(secrets_path(settings)), names or ())
        if dropped:
            _put(settings, content, dropped, may_restart=restart)
    typer.echo(f"dropped {', '.join(dropped)}" if dropped else "there was nothing to drop")


@secrets_app.command("status")
def status_command(settings: SettingsFile = DEFAULT_SETTINGS, as_json: AsJson = False) -> None:
    """Show which secrets there are, how old they are, where they come from and who knows them.

    Examples: `talkbutton secrets status`, `talkbutton secrets status --json`
    """
    with told_plainly():
        path = secrets_path(settings)
        load_secrets(path, os.environ)
        rows = _rows(read_secrets_file(path) if path.exists() else SecretsFile())
    if as_json:
        typer.echo(json.dumps({"secrets": rows}, indent=2))
        return
    table = Table("secret", "age", "from", "known by")
    for row in rows:
        age_s = row["age_s"]
        age = "unknown" if age_s is None else f"{age_s // _DAY_S} days"
        table.add_row(row["name"], age, row["from"], ", ".join(row["parts"]))
    Console(highlight=False).print(table)


def _rows(content: SecretsFile) -> list[dict[str, Any]]:
    given = given_secrets(os.environ)
    now_unix = int(time.time())
    rows: list[dict[str, Any]] = []
    for name in Secrets.model_fields:
        if name not in given and name not in content.values:
            continue
        made_unix = None if name in given else content.made_unix.get(name)
        rows.append(
            {
                "name": name,
                "age_s": None if made_unix is None else max(now_unix - made_unix, 0),
                "from": given.get(name, "file"),
                "parts": list(parts_that_know(name)),
            }
        )
    return rows


def _put(
    settings: Path, content: SecretsFile, changed: Collection[str], *, may_restart: bool
) -> None:
    """Write the file and tell the parts; refuse before anything changes where that ends calls."""
    to_restart = parts_to_restart(changed)
    is_running = asyncio.run(Supervisor(places_of(settings)).is_up())
    if is_running and to_restart and not may_restart:
        raise SettingsError(
            "--restart",
            f"is needed: {', '.join(to_restart)} read these secrets only when they start",
            hint="add it, and calls may end; or rotate while talkbutton is stopped",
        )
    write_secrets_file(secrets_path(settings), content)
    for news in asyncio.run(apply_secrets(settings.absolute(), os.environ, changed)):
        typer.echo(f"{news.part} was {news.did}")


def _refuse_given(names: Collection[str]) -> None:
    given = given_secrets(os.environ)
    for name in names:
        if name in given:
            hint = "rotate it there"
            raise SettingsError(name, f"comes from the environment ({given[name]})", hint=hint)
