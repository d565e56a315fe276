"""Says what is wrong with a setting in words an operator can act on. Pure."""

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from talkbutton.errors import SettingsError

__all__ = ["field_annotation", "known_paths", "refusals"]

_SHOWN_MAX_CHARS = 60
_PATTERN_WORDS = {
    r"^[0-9a-fA-F.:]+$": "an IP address",
    r"^[a-z0-9][a-z0-9-]{0,30}$": "a name of small letters, digits and hyphens",
    r"^[0-9]{1,16}$": "1 to 16 digits in quotes",
    r"^https?://[^/?#]+$": "http:// or https:// with a host, a port and nothing after it",
}
_TYPE_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "a text in quotes",
    "tuple": "a list in square brackets",
    "model": "a table of settings",
    "dict": "a table of settings",
}


def refusals(
    model: type[BaseModel], failure: ValidationError, file: str, sources: Mapping[str, str]
) -> list[SettingsError]:
    """Return one error for each setting that was refused, at least one.

    Args:
        model: What was validated against.
        failure: What pydantic found.
        file: The file's name, to begin each message with.
        sources: The environment variable for each dotted path that came from one.
    """
    found: dict[str, SettingsError] = {}
    for details in failure.errors(include_url=False):
        path, annotation = _locate(model, details["loc"])
        dotted = ".".join(path)
        where = f"{sources[dotted]}:" if dotted in sources else f"{file}:"
        problem, hint = _explain(model, details, path, annotation)
        if dotted in found and found[dotted].hint >= hint:
            continue  # a setting of several forms is refused once for each form
        found[dotted] = SettingsError(f"{where} {dotted}".strip(), problem, hint=hint)
    return list(found.values())


def field_annotation(model: type[BaseModel], keys: Sequence[str]) -> Any | None:
    """Return the type of the setting at ``keys``; None where there is no such setting."""
    annotation: Any = model
    for key in keys:
        annotation = _child(annotation, key)
        if annotation is None:
            return None
    return annotation


def known_paths(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the dotted path of every setting; ``*`` stands for a name that is free to choose."""
    for name, field in model.model_fields.items():
        path = f"{prefix}{name}"
        nested = field.annotation
        if get_origin(nested) is dict:
            path, nested = f"{path}.*", get_args(nested)[1]
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            yield from known_paths(nested, f"{path}.")
        else:
            yield path


def _child(annotation: Any, key: str | int) -> Any | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(key))
        return None if field is None else field.annotation
    if get_origin(annotation) is dict:
        return get_args(annotation)[1]
    if get_origin(annotation) is tuple and isinstance(key, int):
        return get_args(annotation)[0]
    return None


def _locate(
    model: type[BaseModel], location: tuple[str | int, ...]
) -> tuple[tuple[str, ...], Any | None]:
    """Return the path a person would write, and the type of what is there."""
    path: list[str] = []
    annotation: Any = model
    for key in location:
        nested = _child(annotation, key)
        if nested is None:
            is_unknown_key = _is_block(annotation)
            if is_unknown_key:
                path.append(str(key))
            return tuple(path), None if is_unknown_key else annotation
        path.append(str(key))
        annotation = nested
    return tuple(path), annotation


def _explain(
    model: type[BaseModel], details: ErrorDetails, path: tuple[str, ...], annotation: Any
) -> tuple[str, str]:
    kind, context = details["type"], details.get("ctx", {})
    shown = _shown(details["input"], is_secret="Secret" in str(annotation))
    match kind:
        case "extra_forbidden":
            return "is not a known setting", _suggestion(model, path)
        case "missing":
            return "is missing", "add it"
        case "value_error" if annotation is None or _is_block(annotation):
            return f"cannot stand: {context['error']}", "change one of them"
        case "refused":
            return f"is {shown}, which {context['problem']}", context["hint"]
        case "value_error":  # what checks a single setting says itself what to write
            problem, _, hint = str(context["error"]).partition("; ")
            return f"cannot stand: {problem}", hint or "change it"
        case "string_too_short" | "string_too_long" | "too_short":
            return _length_problem(kind, context, shown)
        case _:
            return _value_problem(details, context, shown)


def _is_block(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _value_problem(
    details: ErrorDetails, context: Mapping[str, Any], shown: str
) -> tuple[str, str]:
    match context:
        case {"expected": expected}:
            return f"is {shown}", f"use {expected}"
        case {"pattern": str(pattern)}:
            return f"is {shown}", f"use {_PATTERN_WORDS.get(pattern, f'the form {pattern}')}"
        case {"multiple_of": step}:
            return f"is {shown}", f"use a multiple of {step}"
        case {"ge": least}:
            return f"is {shown}, out of range", f"use {least} or more"
        case {"le": greatest}:
            return f"is {shown}, out of range", f"use {greatest} or less"
    if words := _TYPE_WORDS.get(details["type"].removesuffix("_type")):
        return f"is {shown}", f"write {words}"
    return f"is {shown}: {details['msg'].lower()}", "change it"


def _length_problem(kind: str, context: Mapping[str, Any], shown: str) -> tuple[str, str]:
    if kind == "string_too_long":
        return "is too long", f"use at most {context['max_length']} characters"
    if kind == "too_short":
        return "is empty", f"give at least {context['min_length']}"
    return f"is {shown}, too short", f"use at least {context['min_length']} characters"


def _suggestion(model: type[BaseModel], path: tuple[str, ...]) -> str:
    known = list(known_paths(model))
    dotted = ".".join(path)
    plain = {re.sub(r"\.\*", f".{path[1]}" if len(path) > 1 else "", one): one for one in known}
    near = difflib.get_close_matches(dotted, plain, n=1, cutoff=0.75)
    sections = sorted({one.split(".")[0] for one in known})
    near = near or difflib.get_close_matches(dotted, sections, n=1, cutoff=0.7)
    near = near or [one for one in plain if one.split(".")[-1] == path[-1]][:1]
    if near:
        return f"did you mean {near[0]}?"
    return "remove it; docs/reference/settings.md lists every setting"


def _shown(value: Any, *, is_secret: bool) -> str:
    if is_secret:
        return "a value that is not shown"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN_MAX_CHARS else f"{text[:_SHOWN_MAX_CHARS]}…"
