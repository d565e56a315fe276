"""Looks for secrets, as bytes, in everything that a process was given and can see."""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

__all__ = ["found_in", "process_tree", "told_process", "visible_files"]

_FILE_MAX_BYTES = 64 * 1024 * 1024
_PROGRAMS = frozenset(
    {"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "proc", "dev", "sys"}
)
"""Top folders with the programs themselves, which were there before any secret."""


def found_in(haystacks: Iterable[tuple[str, bytes]], needles: Mapping[str, str]) -> dict[str, str]:
    """Return where each secret was seen first, by its name."""
    found: dict[str, str] = {}
    for where, text in haystacks:
        for name, value in needles.items():
            if name not in found and value.encode() in text:
                found[name] = where
    return found


def process_tree(pid: int) -> Iterator[int]:
    """Yield a process and all that it started."""
    yield pid
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield from process_tree(int(child))


def told_process(pid: int) -> Iterator[tuple[str, bytes]]:
    """Yield what a process was told and holds open: command line, environment, files."""
    for what in ("cmdline", "environ"):
        yield f"/proc/{pid}/{what}", Path(f"/proc/{pid}/{what}").read_bytes()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            if stat.S_ISREG(handle.stat().st_mode):
                yield f"{handle} ({handle.readlink()})", _read(handle)


def visible_files(pid: int, skipped: Iterable[Path] = ()) -> Iterator[tuple[str, bytes]]:
    """Yield every file that a process can reach in its own mounts, but for programs.

    Args:
        pid: The process.
        skipped: Folders of programs, as the process names them.
    """
    root = Path(f"/proc/{pid}/root")
    for top in root.iterdir():
        if top.is_symlink() or top.name in _PROGRAMS:
            continue
        for folder, subfolders, files in os.walk(top):
            inside = Path("/") / Path(folder).relative_to(root)
            if any(inside.is_relative_to(one) for one in skipped):
                subfolders.clear()
                continue
            for name in files:
                path = Path(folder, name)
                with suppress(OSError):
                    if stat.S_ISREG(path.lstat().st_mode):
                        yield str(inside / name), _read(path)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_FILE_MAX_BYTES)
