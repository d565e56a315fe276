"""Reads ``talkbutton.toml``, the environment over it, and ``talkbutton.secrets.toml``.

Every refusal is a ``SettingsError`` with the file, the key, what is wrong and what to do. More
than one mistake: the first is raised, the others are its notes.
"""

import json
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from talkbutton.errors import SettingsError
from talkbutton.settings.model import SETTINGS_VERSION, Secrets, Settings
from talkbutton.settings.problems import field_annotation, refusals

__all__ = [
    "ENVIRONMENT_PREFIX",
    "load_part_secrets",
    "load_secrets",
    "load_settings",
    "overlay",
    "secrets_path",
]

ENVIRONMENT_PREFIX = "TALKBUTTON_"
"""``TALKBUTTON_EDGE__PORT=8081`` stands for ``edge.port = 8081``."""

_Model = TypeVar("_Model", bound=BaseModel)
_CALLS_ON_THIS_MACHINE = 100
"""An hour: only this machine's owner can press a button whose page lives on loopback."""
_OTHERS_MAY_READ = stat.S_IRWXG | stat.S_IRWXO


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
    document = _read_toml(path, hint="run `talkbutton up` here, which writes one, or name another")
    _check_version(path, document)
    merged, sources = overlay(document, environ)
    _derive(merged)
    return _validate(Settings, merged, path, sources)


def load_secrets(path: Path) -> Secrets:
    """Return the secrets of the whole deployment.

    Raises:
        SettingsError: If the file is missing, others may read it, or a secret is refused.
    """
    return load_part_secrets(path, Secrets)


def load_part_secrets(path: Path, model: type[_Model]) -> _Model:
    """Return one part's secrets, such as ``EdgeSecrets``.

    Raises:
        SettingsError: If the file is missing, others may read it, or a secret is refused.
    """
    document = _read_toml(path, hint="run `talkbutton up`, which makes new secrets")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & _OTHERS_MAY_READ:
        raise SettingsError(
            str(path), f"may be read by other users (mode {mode:o})", hint=f"run: chmod 600 {path}"
        )
    return _validate(model, document, path, {})


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
    port = edge.get("port")
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
        limits = site.setdefault("limits", {})
        if is_private and isinstance(limits, dict):
            limits.setdefault("calls_per_address_and_hour", _CALLS_ON_THIS_MACHINE)


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


def _read_toml(path: Path, *, hint: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(str(path), "does not exist", hint=hint) from None
    except UnicodeDecodeError as exc:
        problem = f"is not UTF-8 text (byte {exc.start})"
        raise SettingsError(str(path), problem, hint="save it as UTF-8") from None
    except tomllib.TOMLDecodeError as exc:
        problem = f"is not valid TOML: {exc}"
        raise SettingsError(str(path), problem, hint="mend that line") from None
    except OSError as exc:
        problem = f"cannot be read: {exc.strerror}"
        raise SettingsError(str(path), problem, hint="check its owner and mode") from exc


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
