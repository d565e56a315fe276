"""Writes files that only one part may read."""

import os
from pathlib import Path

from talkbutton.operate.stack.sandbox import Identity

__all__ = ["SECRET_FILE", "write_file"]

SECRET_FILE = 0o400
"""Mode of a file that its owner reads and nobody writes."""


def write_file(path: Path, text: str, mode: int, identity: Identity | None) -> None:
    """Write a file in place of another; it never exists with a wider mode or another owner."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    partial.write_text(text, encoding="utf-8")
    partial.chmod(mode)
    if identity is not None and identity.from_root:
        os.chown(partial, identity.uid, identity.gid)
    partial.rename(path)
