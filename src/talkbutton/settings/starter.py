"""Writes the first ``talkbutton.toml``, its secrets and a starter knowledge folder."""

import time
import tomllib
from collections.abc import Collection, Mapping
from importlib import resources
from pathlib import Path

from talkbutton.errors import SettingsError
from talkbutton.settings.files import replace_file
from talkbutton.settings.load import NO_ENVIRONMENT, secrets_path
from talkbutton.settings.secrets import Secrets
from talkbutton.settings.secrets_environment import given_secrets
from talkbutton.settings.secrets_file import add_missing_secrets

__all__ = ["complete_secrets", "write_first_settings"]

_MADE_HERE = {name for name, one in Secrets.model_fields.items() if one.is_required()}
_KNOWLEDGE = "knowledge"  # the default of bot.knowledge_dir
_SAMPLE = ("bots", "local", "sample_knowledge")

_FIRST_SETTINGS = """\
# Settings of talkbutton: everything that is not said here has a safe default.
# docs/reference/settings.md explains every setting. Check with: talkbutton config check
# One run with another value: TALKBUTTON_EDGE__PORT=8081 talkbutton up

version = 1

[network]
# The address of this machine that browsers send sound to. "auto" takes the one it reaches the
# network with.
# media_address = "auto"
# Behind a 1:1 NAT: the public address that stands for it.
# announced_address = "203.0.113.7"

[edge]
# Loopback until you say otherwise: then only this machine can press the button.
# listen_address = "127.0.0.1"
# port = 8080
# Browsers give the microphone to https pages only, and to http://127.0.0.1 and http://localhost.
# public_url = "http://127.0.0.1:8080"

[sites.default]
# Pages that may show the button.
# allowed_origins = ["http://127.0.0.1:8080", "http://localhost:8080"]
# call_duration_max_s = 600

[bot]
# Markdown files with what the bot knows, relative to this file.
knowledge_dir = "knowledge"
# greeting = "Hello, how can I help you?"
"""


def write_first_settings(path: Path, environ: Mapping[str, str] = NO_ENVIRONMENT) -> list[Path]:
    """Write what is missing of the settings file, the secrets file and the knowledge folder.

    Nothing that exists is changed, and secrets that the environment gives are not made. The
    knowledge folder is the sample's, and made only on the first run in a folder, where the
    settings do not name another one.

    Returns:
        What was written, in order.

    Raises:
        SettingsError: If the folder cannot be written to.
    """
    try:
        return _write_missing(path, given_secrets(environ))
    except OSError as exc:
        problem = f"cannot be written: {exc.strerror}"
        raise SettingsError(
            str(exc.filename or path), problem, hint="check the folder's owner and free space"
        ) from exc


def complete_secrets(path: Path, environ: Mapping[str, str] = NO_ENVIRONMENT) -> list[str]:
    """Make the secrets that this version needs and an older one did not; others stay as they are.

    Args:
        path: The settings file.
        environ: The environment, which may give secrets.

    Returns:
        The names of those that were added.

    Raises:
        SettingsError: If the secrets file cannot be read or written.
    """
    given, now_unix = given_secrets(environ), int(time.time())
    return add_missing_secrets(secrets_path(path), given=given, now_unix=now_unix)


def _write_missing(path: Path, given: Collection[str]) -> list[Path]:
    written: list[Path] = []
    is_first_run = not (path.exists() and secrets_path(path).exists())
    knowledge = path.parent / _KNOWLEDGE
    if is_first_run and _wants_sample(path, knowledge):
        _write_sample(knowledge)
        written.append(knowledge)
    if not secrets_path(path).exists() and not _MADE_HERE.issubset(given):
        add_missing_secrets(secrets_path(path), given=given, now_unix=int(time.time()))
        written.append(secrets_path(path))
    if not path.exists():
        replace_file(path, _FIRST_SETTINGS, mode=0o644)
        written.append(path)
    return written


def _wants_sample(path: Path, knowledge: Path) -> bool:
    if any(knowledge.glob("*.md")):
        return False
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False  # loading it will say what is wrong
    bot = document.get("bot", {})
    return isinstance(bot, dict) and bot.get("knowledge_dir", _KNOWLEDGE) == _KNOWLEDGE


def _write_sample(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    sample = resources.files("talkbutton").joinpath(*_SAMPLE)
    if not sample.is_dir():
        return
    for entry in sample.iterdir():
        if entry.name.endswith(".md"):
            (folder / entry.name).write_text(entry.read_text(encoding="utf-8"), encoding="utf-8")
