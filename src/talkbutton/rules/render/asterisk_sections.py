"""Asterisk's configuration language: sections of ``name = value`` and ``name => value``.

A section's name may come more than once (``pjsip.conf`` tells them apart by ``type``), and so
may a name within a section (``load`` in ``modules.conf``). ``;`` starts a comment and is refused
in a value rather than escaped: who reads the file next may not know the escape. Templates and
includes are never written.

Source: ``main/config.c`` of Asterisk 22.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from talkbutton.rules.render.plain_text import require_plain

__all__ = ["Entry", "Section", "assign", "place", "render_sections"]

_SECTION_NAME = re.compile(r"[a-z][a-z0-9-]*")
_ENTRY_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a section.

    Attributes:
        name: The option.
        value: Its value; ``None`` writes an empty one.
        operator: ``=``, or ``=>`` where Asterisk's own files use it.
    """

    name: str
    value: str | int | None
    operator: str = "="


@dataclass(frozen=True, slots=True)
class Section:
    """One section with its lines, in order."""

    name: str
    entries: tuple[Entry, ...]


def assign(**options: str | int | None) -> tuple[Entry, ...]:
    """Return entries ``name = value``, in the order given."""
    return tuple(Entry(name, value) for name, value in options.items())


def place(name: str, values: Sequence[str]) -> tuple[Entry, ...]:
    """Return one entry ``name => value`` for each value."""
    return tuple(Entry(name, value, "=>") for value in values)


def render_sections(sections: Sequence[Section], *, file_name: str) -> str:
    """Return the text of one Asterisk configuration file.

    Args:
        sections: Sections in the order to write them; names may repeat.
        file_name: Name of the file, for refusals.

    Raises:
        SettingsError: If a value can't be written safely.
    """
    lines = ["; Written by talkbutton from talkbutton.toml. Changes made here are lost."]
    for section in sections:
        assert _SECTION_NAME.fullmatch(section.name), section.name
        lines += ["", f"[{section.name}]"]
        lines += [_line(entry, f"{file_name} [{section.name}]") for entry in section.entries]
    return "\n".join(lines) + "\n"


def _line(entry: Entry, where: str) -> str:
    assert _ENTRY_NAME.fullmatch(entry.name), entry.name
    if entry.value is None:
        return f"{entry.name} {entry.operator}"
    value = require_plain(str(entry.value), where=f"{where} {entry.name}", forbidden=";")
    return f"{entry.name} {entry.operator} {value}"
