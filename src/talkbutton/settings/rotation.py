"""Changes secrets: a new value signs at once, and where it can the old one is accepted on. Pure."""

from collections.abc import Mapping, Sequence

from talkbutton.errors import SettingsError
from talkbutton.settings.secrets import PREVIOUS, Secrets
from talkbutton.settings.secrets_file import SecretsFile

__all__ = ["ROTATABLE", "drop_previous", "previous_of", "rotate"]

ROTATABLE = tuple(name for name, one in Secrets.model_fields.items() if one.is_required())
"""The secrets that talkbutton makes itself."""


def previous_of(name: str) -> str | None:
    """Return the name of the one before it, for a secret that is rotated with overlap."""
    previous = f"{name}{PREVIOUS}"
    return previous if previous in Secrets.model_fields else None


def rotate(content: SecretsFile, new: Mapping[str, str], *, now_unix: int) -> SecretsFile:
    """Return the file with new values; the old ones stay beside them where there is a place.

    Args:
        content: The file as it is.
        new: The new value of each secret to rotate.
        now_unix: Wall-clock time in Unix seconds.

    Raises:
        SettingsError: If one is not talkbutton's to make, or is not in the file.
    """
    values, made = dict(content.values), dict(content.made_unix)
    for name, value in new.items():
        _check(name, values)
        if previous := previous_of(name):
            values[previous] = values[name]
            if name in made:
                made[previous] = made[name]
        values[name], made[name] = value, now_unix
    return SecretsFile(values, made)


def drop_previous(content: SecretsFile, names: Sequence[str]) -> tuple[SecretsFile, list[str]]:
    """Return the file without the ones before, and the names of those that were there.

    Args:
        content: The file as it is.
        names: Secrets whose previous value goes; all if empty.
    """
    wanted = [previous_of(name) for name in names or ROTATABLE]
    dropped = [name for name in wanted if name is not None and name in content.values]
    values = {name: one for name, one in content.values.items() if name not in dropped}
    made = {name: at for name, at in content.made_unix.items() if name not in dropped}
    return SecretsFile(values, made), dropped


def _check(name: str, values: Mapping[str, object]) -> None:
    if name not in Secrets.model_fields:
        hint = f"name some of {', '.join(ROTATABLE)}"
        raise SettingsError(name, "is no secret of talkbutton's", hint=hint)
    if name.endswith(PREVIOUS):
        hint = f"rotate {name.removesuffix(PREVIOUS)}, or run `talkbutton secrets drop-previous`"
        raise SettingsError(name, "is an old value already", hint=hint)
    if name not in ROTATABLE:
        hint = "change it there, and write the new one into the secrets file"
        raise SettingsError(name, "is given by somebody else", hint=hint)
    if name not in values:
        hint = "rotate it where the environment takes it from, or run `talkbutton init`"
        raise SettingsError(name, "is not in the secrets file", hint=hint)
