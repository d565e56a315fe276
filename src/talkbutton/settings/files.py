"""Reads TOML files, and replaces files whole or not at all."""

import os
import tomllib
from pathlib import Path
from typing import Any

from talkbutton.errors import SettingsError

__all__ = ["read_toml", "replace_file"]


def read_toml(path: Path, *, hint: str) -> dict[str, Any]:
    """Return what a TOML file holds.

    Args:
        path: The file.
        hint: What to do when it does not exist.

    Raises:
        SettingsError: If it cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(str(path), "does not exist", hint=hint) from None
    except UnicodeDecodeError as exc:
        problem = f"is not UTF-8 text (byte {exc.start})"
        raise SettingsError(str(path), problem, hint="save it as UTF-8") from None
    except tomllib.TOMLDecodeError as exc:
        problem = f"is not valid TOML: {exc}"
        raise SettingsError(str(path), problem, hint="mend that line") from None
    except OSError as exc:
        problem = f"cannot be read: {exc.strerror}"
        raise SettingsError(str(path), problem, hint="check its owner and mode") from exc


def replace_file(path: Path, text: str, *, mode: int) -> None:
    """Write a file in place of another, or anew; it never exists with a wider mode or half.

    Its owner stays who it was.

    Raises:
        OSError: If it cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fchmod(descriptor, mode)
        if os.geteuid() == 0 and path.exists():
            before = path.stat()
            os.fchown(descriptor, before.st_uid, before.st_gid)
        os.fsync(descriptor)
    partial.rename(path)
