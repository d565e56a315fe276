"""Writes values as TOML, for the copies of settings and secrets that parts are given. Pure."""

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["encode_toml"]


def encode_toml(document: Mapping[str, Any]) -> str:
    """Return ``document`` as TOML; a value that is None is left out.

    Raises:
        TypeError: If a value is neither text, number, truth value, list nor table.
    """
    return "\n".join(_lines(document, ())) + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    lines = [
        f"{_text(key)} = {_value(value)}"
        for key, value in table.items()
        if value is not None and not isinstance(value, Mapping)
    ]
    for key, value in table.items():
        if isinstance(value, Mapping):
            nested = (*path, key)
            lines += ["", f"[{'.'.join(_text(part) for part in nested)}]", *_lines(value, nested)]
    return lines


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return _text(value)
        case list() | tuple():
            return f"[{', '.join(_value(one) for one in value)}]"
        case _:
            raise TypeError(f"TOML has no form for {type(value).__name__}")


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
