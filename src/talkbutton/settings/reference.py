"""Describes every setting, from the model's own words. Pure."""

from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from talkbutton.settings.encode import encode_toml
from talkbutton.settings.model import Settings

__all__ = ["settings_reference"]

_HEADING = """\
# Settings

Everything `talkbutton.toml` may say, with its default. Made by `talkbutton config reference`.
`TALKBUTTON_EDGE__PORT=8081` in the environment stands for `edge.port = 8081` and is above the file.
Where they are not set, `edge.public_url` follows `edge.port`, and `allowed_origins` follows it.
"""


def settings_reference() -> str:
    """Return the reference page as Markdown."""
    return "\n".join([_HEADING, *_section(Settings, "")]).rstrip() + "\n"


def _section(model: type[BaseModel], path: str) -> Iterator[str]:
    own = {name: field for name, field in model.model_fields.items() if _nested(field) is None}
    if path:
        yield from (f"## [{path}]", "", _plain(model.__doc__), "")
    for name, field in own.items():
        yield f"- `{name}`, default {_default(field)}: {_plain(field.description)}"
    yield ""
    for name, field in model.model_fields.items():
        nested = _nested(field)
        if nested is not None:
            free = ".NAME" if get_origin(field.annotation) is dict else ""
            yield from _section(nested, f"{path}.{name}{free}".lstrip("."))


def _nested(field: FieldInfo) -> type[BaseModel] | None:
    """Return the block that a field holds; a range of ports is a value, not a block."""
    annotation: Any = field.annotation
    if get_origin(annotation) is dict:
        annotation = get_args(annotation)[1]
    is_block = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return annotation if is_block and field.description is None else None


def _plain(words: str | None) -> str:
    return " ".join((words or "").replace("``", "`").split())


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "none, it must be set"
    value = field.default
    if value is None:
        return "not set"
    if isinstance(value, BaseModel):
        pairs = encode_toml(value.model_dump()).replace('"', "").split("\n")
        return f"`{{ {', '.join(pair for pair in pairs if pair)} }}`"
    return f"`{encode_toml({'x': value}).partition(' = ')[2].strip()}`"
