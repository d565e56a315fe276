"""Reads supervisord's own log: what became of parts. Pure."""

import re
from dataclasses import dataclass

from talkbutton.operate.stack.parts import PART_BY_NAME

__all__ = ["PartNews", "read_diary"]

_ENDED = re.compile(r" exited: (\S+) \((.*?)(?:; (?:not )?expected)?\)$")
_SPAWNED = re.compile(r" spawned: '(\S+)' with pid \d+$")
_GIVEN_UP = re.compile(r" gave up: (\S+) entered FATAL state")
_KILLED_STATUS = 128  # bubblewrap adds the signal's number to it


@dataclass(frozen=True, slots=True)
class PartNews:
    """What became of a part.

    Attributes:
        part: The part's name.
        state: ``starting``, ``ready``, ``died``, ``restarted`` or ``given up``.
        after_s: Seconds from start to ready, when it is ready.
        detail: What more there is to say.
    """

    part: str
    state: str
    after_s: float | None = None
    detail: str | None = None


def read_diary(line: str) -> PartNews | None:
    """Return what one line says about a part after its first start; None for any other line."""
    if found := _ENDED.search(line):
        news = PartNews(
            found[1], "died", detail=f"{_how(found[2])}; see talkbutton logs {found[1]}"
        )
    elif found := _SPAWNED.search(line):
        news = PartNews(found[1], "restarted")
    elif found := _GIVEN_UP.search(line):
        news = PartNews(found[1], "given up", detail="it keeps ending; trying again later")
    else:
        return None
    return news if news.part in PART_BY_NAME else None


def _how(ending: str) -> str:
    status = ending.removeprefix("exit status ")
    if status.isdigit() and int(status) > _KILLED_STATUS:
        return f"killed by signal {int(status) - _KILLED_STATUS}"
    return ending
