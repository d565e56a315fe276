"""Options that several commands share, and how errors become words and exit codes."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from talkbutton.cli.exit_codes import ExitCode
from talkbutton.errors import SettingsError, TalkbuttonError
from talkbutton.operate.stack.places import DataPlaces, Places, data_places

__all__ = ["DEFAULT_SETTINGS", "AsJson", "SettingsFile", "places_of", "this_data", "told_plainly"]

DEFAULT_SETTINGS = Path("talkbutton.toml")
"""The settings file, unless another is named."""

SettingsFile = Annotated[
    Path, typer.Option("--settings", "-s", help="The settings file.", show_default=True)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def places_of(settings: Path) -> Places:
    """Return the folders that belong to a settings file."""
    return Places(settings.absolute())


def this_data() -> DataPlaces:
    """Return where this user's telephony programs are."""
    return data_places(os.environ, is_root=os.geteuid() == 0, home=Path.home())


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turn our errors into a sentence on standard error and an exit code."""
    try:
        yield
    except TalkbuttonError as exc:
        typer.echo(f"talkbutton: {exc}", err=True)
        for note in getattr(exc, "__notes__", ()):
            typer.echo(note if note.startswith(" ") else f"talkbutton: {note}", err=True)
        code = ExitCode.SETTINGS if isinstance(exc, SettingsError) else ExitCode.STACK
        raise typer.Exit(code) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise typer.Exit(ExitCode.OK) from None
