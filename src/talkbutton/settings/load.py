"""Reads ``talkbutton.toml``, the environment over it, and ``talkbutton.secrets.toml``.

Every refusal is a ``SettingsError`` with the file, the key, what is wrong and what to do. More
than one mistake: the first is raised, the others are its notes.
"""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from talkbutton.errors import SettingsError
from talkbutton.settings.files import read_toml
from talkbutton.settings.model import SETTINGS_VERSION, EdgeSettings, Secrets, Settings
from talkbutton.settings.problems import field_annotation, refusals
from talkbutton.settings.secrets_environment import secrets_from_environment, variable_of
from talkbutton.settings.secrets_file import read_secrets_file

__all__ = [
    "ENVIRONMENT_PREFIX",
    "NO_ENVIRONMENT",
    "load_part_secrets",
    "load_secrets",
    "load_settings",
    "overlay",
    "secrets_path",
]

ENVIRONMENT_PREFIX = "TALKBUTTON_"
"""``TALKBUTTON_EDGE__PORT=8081`` stands for ``edge.port = 8081``."""

NO_ENVIRONMENT: Mapping[str, str] = MappingProxyType({})
"""For who takes nothing from the environment."""

_Model = TypeVar("_Model", bound=BaseModel)
_LIMITS_ON_THIS_MACHINE = {
    "calls_per_address": 20,
    "calls_per_address_and_hour": 100,
    "sessions_per_address_and_minute": 120,
}
"""Only this machine's owner can press a button whose page lives on loopback."""


def secrets_path(settings_path: Path) -> Path:
    """Return the secrets file that belongs to a settings file."""
    return settings_path.with_name(f"{settings_path.stem}.secrets.toml")


def load_settings(path: Path, environ: Mapping[str, str]) -> Settings:
    """Return the settings in ``path`` with the environment's over them.

    Defaults follow what is set: ``edge.public_url`` the port, ``allowed_origins`` the URL.

    Args:
        path: The settings file.
        environ: The environment; only names with the prefix and a double underscore count.

    Raises:
        SettingsError: If the file cannot be read, or a setting is refused.
    """
    document = read_toml(path, hint="run `talkbutton init` here, which writes one, or name another")
    _check_version(path, document)
    merged, sources = overlay(document, environ)
    _derive(merged)
    return _validate(Settings, merged, path, sources)


def load_secrets(path: Path, environ: Mapping[str, str] = NO_ENVIRONMENT) -> Secrets:
    """Return the secrets of the whole deployment.

    Args:
        path: The secrets file.
        environ: The environment, whose secrets are above the file's.

    Raises:
        SettingsError: If the file is missing, others may read it, or a secret is refused.
    """
    return load_part_secrets(path, Secrets, environ)


def load_part_secrets(
    path: Path,
    model: type[_Model],
    environ: Mapping[str, str] = NO_ENVIRONMENT,
    *,
    may_others_read: bool = False,
) -> _Model:
    """Return one part's secrets, such as ``EdgeSecrets``.

    Args:
        path: File with this part's secrets; may be missing when the environment gives them all.
        model: What this part may know.
        environ: The environment, whose secrets are above the file's.
        may_others_read: Take a file that others may read; only for who looks at it to say so.

    Raises:
        SettingsError: If the file is missing, others may read it, or a secret is refused.
    """
    given = secrets_from_environment(environ, model.model_fields)
    needed = {name for name, one in model.model_fields.items() if one.is_required()}
    is_complete = needed.issubset(given) and not path.exists()
    values = {} if is_complete else read_secrets_file(path, may_others_read=may_others_read).values
    sources = {name: f"environment: {variable_of(name)}" for name in given}
    return _validate(model, values | given, path, sources)


def overlay(
    document: Mapping[str, Any], environ: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return ``document`` with the environment's settings in it, and where those came from.

    A value is taken as text where the setting is a text, else as TOML writes it.

    Returns:
        The merged document, and the variable's name for each dotted path that was set.
    """
    merged = json.loads(json.dumps(document, default=str))
    sources: dict[str, str] = {}
    for name in sorted(environ):
        if not name.startswith(ENVIRONMENT_PREFIX) or "__" not in name:
            continue
        keys = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        table = merged
        for key in keys[:-1]:
            nested = table.get(key)
            if not isinstance(nested, dict):
                nested = table[key] = {}
            table = nested
        table[keys[-1]] = _environment_value(keys, environ[name])
        sources[".".join(keys)] = name
    return merged, sources


def _derive(document: dict[str, Any]) -> None:
    """Let defaults follow what was set: a port changes the page's URL, and that its origin."""
    edge = document.setdefault("edge", {})
    if not isinstance(edge, dict):
        return
    port = edge.get("port", EdgeSettings.model_fields["port"].default)
    if "public_url" not in edge and isinstance(port, int):
        edge["public_url"] = f"http://127.0.0.1:{port}"
    url = edge.get("public_url")
    sites = document.setdefault("sites", {"default": {}})
    if not isinstance(url, str) or not isinstance(sites, dict):
        return
    origins = dict.fromkeys([url, url.replace("//127.0.0.1", "//localhost")])
    is_private = url.startswith(("http://127.0.0.1:", "http://localhost:"))
    for site in sites.values():
        if not isinstance(site, dict):
            continue
        site.setdefault("allowed_origins", list(origins))
        challenge = site.setdefault("challenge", {})
        if is_private and isinstance(challenge, dict):
            challenge.setdefault("when", "never")
        limits = site.setdefault("limits", {})
        if is_private and isinstance(limits, dict):
            for name, limit in _LIMITS_ON_THIS_MACHINE.items():
                limits.setdefault(name, limit)


def _environment_value(keys: list[str], text: str) -> Any:
    annotation = field_annotation(Settings, keys)
    if annotation is not None and _takes_text(annotation, text):
        return text
    try:
        return json.loads(json.dumps(tomllib.loads(f"value = {text}")["value"], default=str))
    except tomllib.TOMLDecodeError:
        return text


def _takes_text(annotation: Any, text: str) -> bool:
    if get_origin(annotation) is tuple or (str not in (annotation, *get_args(annotation))):
        try:
            TypeAdapter(annotation).validate_python(text, strict=True)
        except ValidationError:
            return False
    return True


def _check_version(path: Path, document: Mapping[str, Any]) -> None:
    where = f"{path}: version"
    if "version" not in document:
        raise SettingsError(
            where, "is missing", hint=f"write `version = {SETTINGS_VERSION}` as the first line"
        )
    version = document["version"]
    if version != SETTINGS_VERSION or isinstance(version, bool):
        raise SettingsError(
            where,
            f"is {json.dumps(version, default=str)}, this program reads {SETTINGS_VERSION}",
            hint="use the program that wrote the file, or see CHANGELOG.md for what changed",
        )


def _validate(
    model: type[_Model], document: Mapping[str, Any], path: Path, sources: Mapping[str, str]
) -> _Model:
    try:
        # JSON, because there an array is a tuple even to a strict model.
        return model.model_validate_json(json.dumps(document, default=str))
    except ValidationError as exc:
        first, *others = refusals(model, exc, str(path), sources)
    for other in others:
        first.add_note(str(other))
    raise first
