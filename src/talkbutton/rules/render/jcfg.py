"""Janus's configuration language: libconfig groups of settings.

A string is quoted; a quote and a backslash in it are escaped. Nothing else needs escaping once
control characters are refused.

Source: libconfig manual, "Configuration Files"; ``janus.jcfg`` of Janus 1.4.
"""

import re
from collections.abc import Mapping, Sequence

from talkbutton.rules.render.plain_text import require_plain

__all__ = ["JcfgValue", "render_jcfg"]

JcfgValue = str | int | bool | Sequence[str]

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def render_jcfg(groups: Mapping[str, Mapping[str, JcfgValue]], *, file_name: str) -> str:
    """Return the text of one ``.jcfg`` file.

    Args:
        groups: Settings by group, in the order to write them.
        file_name: Name of the file, for refusals.

    Raises:
        SettingsError: If a value can't be written safely.
    """
    lines = ["# Written by talkbutton from talkbutton.toml. Changes made here are lost."]
    for group, settings in groups.items():
        assert _NAME.fullmatch(group), group
        lines.append(f"{group}: {{")
        for name, value in settings.items():
            assert _NAME.fullmatch(name), name
            lines.append(f"\t{name} = {_literal(value, where=f'{file_name} {group}.{name}')}")
        lines.append("}")
    return "\n".join(lines) + "\n"


def _literal(value: JcfgValue, *, where: str) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            plain = require_plain(value, where=where)
            escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        case _:
            return "[ " + ", ".join(_literal(item, where=where) for item in value) + " ]"
