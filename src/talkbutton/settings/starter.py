"""Writes the first ``talkbutton.toml``, its secrets and a starter knowledge folder."""

import secrets
import tomllib
from importlib import resources
from pathlib import Path

from talkbutton.errors import SettingsError
from talkbutton.settings.encode import encode_toml
from talkbutton.settings.load import secrets_path
from talkbutton.settings.model import Secrets

__all__ = ["write_first_settings"]

_SECRET_BYTES = 24
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


def write_first_settings(path: Path) -> list[Path]:
    """Write what is missing of the settings file, its secrets and the knowledge folder.

    Nothing that exists is changed. The knowledge folder is the sample's, and made only on the first
    run in a folder, where the settings do not name another one.

    Returns:
        What was written, in order.

    Raises:
        SettingsError: If the folder cannot be written to.
    """
    try:
        return _write_missing(path)
    except OSError as exc:
        problem = f"cannot be written: {exc.strerror}"
        raise SettingsError(
            str(exc.filename or path), problem, hint="check the folder's owner and free space"
        ) from exc


def _write_missing(path: Path) -> list[Path]:
    written: list[Path] = []
    is_first_run = not (path.exists() and secrets_path(path).exists())
    knowledge = path.parent / _KNOWLEDGE
    if is_first_run and _wants_sample(path, knowledge):
        _write_sample(knowledge)
        written.append(knowledge)
    if not secrets_path(path).exists():
        needed = [name for name, one in Secrets.model_fields.items() if one.is_required()]
        made = {name: secrets.token_hex(_SECRET_BYTES) for name in needed}
        heading = "# Secrets of talkbutton. Show them to nobody; keep this file's mode at 600.\n\n"
        _write_new(secrets_path(path), heading + encode_toml(made), mode=0o600)
        written.append(secrets_path(path))
    if not path.exists():
        _write_new(path, _FIRST_SETTINGS, mode=0o644)
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


def _write_new(path: Path, text: str, *, mode: int) -> None:
    """Write a file that does not exist yet, whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    partial.touch(mode=mode, exist_ok=False)
    partial.write_text(text, encoding="utf-8")
    partial.rename(path)
