"""coturn's configuration language: one ``option`` or ``option=value`` a line.

coturn reads a value as it stands, but drops a quote, blanks and ``=`` at its start, and blanks at
its end; such values are refused. A line ends silently after 1,024 characters.

Source: ``src/apps/relay/mainrelay.c`` of coturn 4.17.
"""

import re
from collections.abc import Sequence

from talkbutton.errors import SettingsError
from talkbutton.rules.render.plain_text import require_plain

__all__ = ["Option", "render_turnserver"]

Option = str | tuple[str, str | int]
"""A flag, or an option with its value. Options may repeat."""

_NAME = re.compile(r"[a-z][a-z0-9-]*")


def render_turnserver(options: Sequence[Option], *, file_name: str) -> str:
    """Return the text of one ``turnserver.conf``.

    Args:
        options: Options in the order to write them.
        file_name: Name of the file, for refusals.

    Raises:
        SettingsError: If a value can't be written safely.
    """
    lines = ["# Written by talkbutton from talkbutton.toml. Changes made here are lost."]
    lines += [_line(option, file_name) for option in options]
    return "\n".join(lines) + "\n"


def _line(option: Option, file_name: str) -> str:
    if isinstance(option, str):
        assert _NAME.fullmatch(option), option
        return option
    name, value = option
    assert _NAME.fullmatch(name), name
    where = f"{file_name} {name}"
    text = require_plain(str(value), where=where, forbidden=";")
    if text[0] in '"=':
        raise SettingsError(
            where, f"starts with {text[0]}, which coturn drops", hint="choose another value"
        )
    return f"{name}={text}"
