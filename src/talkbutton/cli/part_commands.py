"""The parts' own commands, which the process supervisor runs; people rarely need them."""

import logging
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel

from talkbutton.cli.exit_codes import ExitCode
from talkbutton.cli.options import DEFAULT_SETTINGS, SettingsFile
from talkbutton.cli.running import run_until_told
from talkbutton.errors import SettingsError, TalkbuttonError
from talkbutton.runtime.telemetry import configure_logging
from talkbutton.settings.load import load_part_secrets, load_settings
from talkbutton.settings.model import (
    BridgeSecrets,
    EdgeSecrets,
    KeeperSecrets,
    Settings,
)

__all__ = ["add_part_commands"]

_log = logging.getLogger("talkbutton.cli")

PartSecretsFile = Annotated[
    Path, typer.Option("--secrets", help="TOML file with this part's secrets only.")
]
CoturnLog = Annotated[Path, typer.Option("--log", help="coturn's log, which may be rotated.")]
StateDir = Annotated[Path, typer.Option("--state", help="Folder with bus, journal and caches.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Log details too.")]
Work = Coroutine[Any, Any, None]

_PartSecrets = TypeVar("_PartSecrets", bound=BaseModel)

_PANEL = "Parts (run by `up`)"
_SECRETS = Path("secrets.toml")
_STATE = Path(".talkbutton/state")
_SPEECH_PARTS = (
    ("speech-vad", "run_vad", "Find out who speaks when"),
    ("speech-transcriber", "run_transcriber", "Turn speech into text"),
    ("speech-voice", "run_voice", "Turn text into speech"),
    ("speech-meaning", "run_meaning", "Compare what texts mean"),
)


def edge(
    settings: SettingsFile = DEFAULT_SETTINGS,
    secrets: PartSecretsFile = _SECRETS,
    state: StateDir = _STATE,
    verbose: Verbose = False,
) -> None:
    """Serve the public HTTP and WebSocket interface.

    Example: talkbutton edge --settings talkbutton.toml --secrets edge.toml --state state
    """

    def work() -> Work:
        from talkbutton.edge.program import run

        reread = _reader(secrets, EdgeSecrets)
        return run(_settings(settings), reread(), state, reread)

    _run("edge", work, is_verbose=verbose)


def bridge(
    settings: SettingsFile = DEFAULT_SETTINGS,
    secrets: PartSecretsFile = _SECRETS,
    state: StateDir = _STATE,
    verbose: Verbose = False,
) -> None:
    """Join calls in Asterisk to the bot.

    Example: talkbutton bridge --settings talkbutton.toml --secrets bridge.toml --state state
    """

    def work() -> Work:
        from talkbutton.bridge.program import run

        reread = _reader(secrets, BridgeSecrets)
        return run(_settings(settings), reread(), state, reread)

    _run("bridge", work, is_verbose=verbose)


def keeper(
    settings: SettingsFile = DEFAULT_SETTINGS,
    secrets: PartSecretsFile = _SECRETS,
    state: StateDir = _STATE,
    verbose: Verbose = False,
) -> None:
    """Hold the SIP identity that the edge's calls borrow.

    Example: talkbutton keeper --settings talkbutton.toml --secrets keeper.toml --state state
    """

    def work() -> Work:
        from talkbutton.keeper.program import run

        return run(_settings(settings), _reader(secrets, KeeperSecrets)(), state)

    _run("keeper", work, is_verbose=verbose)


def turnlog(
    log: CoturnLog,
    settings: SettingsFile = DEFAULT_SETTINGS,
    state: StateDir = _STATE,
    verbose: Verbose = False,
) -> None:
    """Write what coturn does for each call to the journal.

    Example: talkbutton turnlog --log coturn.log --state state
    """

    def work() -> Work:
        from talkbutton.turnlog.program import run

        _settings(settings)
        return run(log, state)

    _run("turnlog", work, is_verbose=verbose)


def _speech_command(part: str, runner: str, purpose: str) -> Callable[..., None]:
    """Return the command of one speech worker; they differ in what they run and nothing else."""

    def command(
        settings: SettingsFile = DEFAULT_SETTINGS,
        state: StateDir = _STATE,
        verbose: Verbose = False,
    ) -> None:
        def work() -> Work:
            from talkbutton.speech import program

            run: Callable[[Settings, None, Path], Work] = getattr(program, runner)
            return run(_settings(settings), None, state)

        _run(part, work, is_verbose=verbose)

    example = f"Example: talkbutton {part} --settings talkbutton.toml --state state"
    command.__doc__ = f"{purpose}; for all calls.\n\n{example}"
    return command


def add_part_commands(app: typer.Typer) -> None:
    """Add a command for each Python part."""
    programs: dict[str, Callable[..., None]] = {
        "edge": edge,
        "bridge": bridge,
        "keeper": keeper,
        "turnlog": turnlog,
    }
    speech = {
        part: _speech_command(part, runner, purpose) for part, runner, purpose in _SPEECH_PARTS
    }
    for name, command in (programs | speech).items():
        app.command(name, rich_help_panel=_PANEL)(command)


def _settings(path: Path) -> Settings:
    return load_settings(path, os.environ)


def _reader(path: Path, model: type[_PartSecrets]) -> Callable[[], _PartSecrets]:
    return lambda: load_part_secrets(path, model, os.environ)


def _run(part: str, work: Callable[[], Work], *, is_verbose: bool) -> None:
    configure_logging(part, is_verbose=is_verbose)
    try:
        run_until_told(work())
    except* TalkbuttonError as group:
        for exc in _leaves(group):
            _log.error("%s", exc)
        is_settings = any(isinstance(exc, SettingsError) for exc in _leaves(group))
        code = ExitCode.SETTINGS if is_settings else ExitCode.STACK
        raise SystemExit(code) from None


def _leaves(group: BaseExceptionGroup[TalkbuttonError]) -> list[BaseException]:
    found: list[BaseException] = []
    for exc in group.exceptions:
        found += _leaves(exc) if isinstance(exc, BaseExceptionGroup) else [exc]
    return found
