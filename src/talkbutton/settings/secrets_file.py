"""``talkbutton.secrets.toml``: the values, and when talkbutton made each.

    "grant_key" = "…"
    …
    ["made_unix"]
    "grant_key" = 1764000000

Whoever writes it keeps its mode at 600, and replaces it whole or not at all.
"""

import secrets
import stat
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from talkbutton.errors import SettingsError
from talkbutton.settings.encode import encode_toml
from talkbutton.settings.files import read_toml, replace_file
from talkbutton.settings.secrets import Secrets

__all__ = [
    "SecretsFile",
    "add_missing_secrets",
    "new_secret",
    "read_secrets_file",
    "write_secrets_file",
]

_MADE = "made_unix"
_HEADING = "# Secrets of talkbutton. Show them to nobody; keep this file's mode at 600.\n\n"
_SECRET_BYTES = 24
_OTHERS_MAY_READ = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class SecretsFile:
    """What the file holds, not yet checked.

    Attributes:
        values: Secrets by name.
        made_unix: When each was made, Unix seconds; not known for those that a person wrote.
    """

    values: dict[str, Any] = field(default_factory=dict, repr=False)
    made_unix: dict[str, int] = field(default_factory=dict)


def new_secret() -> str:
    """Return a new random secret of 192 bits, in characters that every file can hold."""
    return secrets.token_hex(_SECRET_BYTES)


def read_secrets_file(path: Path, *, may_others_read: bool = False) -> SecretsFile:
    """Return what the file holds.

    Args:
        path: The secrets file.
        may_others_read: Take a file that others may read; only for who looks at it to say so.

    Raises:
        SettingsError: If it is missing, cannot be read, or others may read it.
    """
    document = read_toml(path, hint="run `talkbutton init`, which makes new secrets")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & _OTHERS_MAY_READ and not may_others_read:
        raise SettingsError(
            str(path), f"may be read by other users (mode {mode:o})", hint=f"run: chmod 600 {path}"
        )
    made = document.pop(_MADE, {})
    if not isinstance(made, dict) or not all(type(at) is int for at in made.values()):
        raise SettingsError(
            f"{path}: {_MADE}", "is not a table of Unix times", hint="remove that table"
        )
    return SecretsFile(document, made)


def write_secrets_file(path: Path, content: SecretsFile) -> None:
    """Replace the file, in the order of the model.

    Raises:
        SettingsError: If it cannot be written.
    """
    known = [name for name in Secrets.model_fields if name in content.values]
    others = [name for name in content.values if name not in known]
    document: dict[str, Any] = {name: content.values[name] for name in (*known, *others)}
    document[_MADE] = {name: content.made_unix[name] for name in known if name in content.made_unix}
    try:
        replace_file(path, _HEADING + encode_toml(document), mode=0o600)
    except OSError as exc:
        problem = f"cannot be written: {exc.strerror}"
        hint = "check the folder's owner and free space"
        raise SettingsError(str(path), problem, hint=hint) from exc


def add_missing_secrets(path: Path, *, given: Collection[str], now_unix: int) -> list[str]:
    """Make the secrets that this version needs and the file lacks; the others stay as they are.

    Args:
        path: The secrets file; made where it does not exist.
        given: Secrets that come from elsewhere and need not be made.
        now_unix: Wall-clock time in Unix seconds.

    Returns:
        The names of those that were made.

    Raises:
        SettingsError: If the file cannot be read or written.
    """
    content = read_secrets_file(path) if path.exists() else SecretsFile()
    needed = [name for name, one in Secrets.model_fields.items() if one.is_required()]
    missing = [name for name in needed if name not in content.values and name not in given]
    if missing:
        values = content.values | {name: new_secret() for name in missing}
        made = content.made_unix | dict.fromkeys(missing, now_unix)
        write_secrets_file(path, SecretsFile(values, made))
    return missing
