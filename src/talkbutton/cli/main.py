"""The ``talkbutton`` command."""

import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

import talkbutton
from talkbutton.cli.call_commands import calls_app
from talkbutton.cli.config_commands import config_app
from talkbutton.cli.doctor_command import add_doctor_command
from talkbutton.cli.natlab_commands import natlab_app
from talkbutton.cli.part_commands import add_part_commands
from talkbutton.cli.secret_commands import secrets_app
from talkbutton.cli.stack_commands import add_stack_commands

__all__ = ["app", "main"]

app = typer.Typer(
    name="talkbutton",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version() -> str:
    try:
        return metadata.version("talkbutton")
    except metadata.PackageNotFoundError:  # run from its sources
        project = Path(talkbutton.__file__).parents[2] / "pyproject.toml"
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])


def _say_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(_version())
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say it.")
    ] = False,
) -> None:
    """Talk, in the browser, with the voice bot that answers the company's phone system.

    Start with `talkbutton up` in an empty folder.
    """


add_stack_commands(app)
add_doctor_command(app)
app.add_typer(calls_app, name="calls")
app.add_typer(config_app, name="config")
app.add_typer(natlab_app, name="natlab")
app.add_typer(secrets_app, name="secrets")
add_part_commands(app)


def main() -> None:
    """Run the command line of this process."""
    sys.exit(app())
