"""Shows what parts write, as they write it."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from talkbutton.operate.stack.places import Places

__all__ = ["LogTail", "follow_logs"]

_POLL_S = 0.25
_READ_MAX_BYTES = 1 << 20


class LogTail:
    """Reads whole lines that are added to a file, also after it was rotated or made anew.

    Args:
        path: The file; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rest = b""
        self._inode: int | None = None
        self._position = 0
        try:
            found = path.stat()
        except FileNotFoundError:
            return
        self._inode, self._position = found.st_ino, found.st_size

    def read(self) -> list[str]:
        """Return the lines added since the last time."""
        try:
            found = self._path.stat()
            if found.st_ino != self._inode or found.st_size < self._position:
                self._inode, self._position = found.st_ino, 0
            with self._path.open("rb") as log:
                log.seek(self._position)
                added = log.read(_READ_MAX_BYTES)
        except FileNotFoundError:
            return []
        self._position += len(added)
        *lines, self._rest = (self._rest + added).split(b"\n")
        return [line.decode(errors="replace") for line in lines]


async def follow_logs(places: Places, parts: Sequence[str], show: Callable[[str], None]) -> None:
    """Show every new line with its part's name, until cancelled."""
    tails = {part: LogTail(places.part_log(part)) for part in parts}
    while True:
        for part, tail in tails.items():
            for line in tail.read():
                show(f"{part} | {line}")
        await asyncio.sleep(_POLL_S)
