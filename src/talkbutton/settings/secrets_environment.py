"""Secrets from the environment, for containers: ``TALKBUTTON_SECRET_GRANT_KEY``, or better the
name of a file with it, ``TALKBUTTON_SECRET_GRANT_KEY_FILE``. They are above the secrets file.

A variable can be read in ``/proc/PID/environ`` by the same user for as long as the process lives;
a file can be shown to one container alone.
"""  # noqa: D205 - one sentence

from collections.abc import Collection, Mapping
from pathlib import Path

from talkbutton.errors import SettingsError

__all__ = ["SECRET_PREFIX", "given_secrets", "secrets_from_environment", "variable_of"]

SECRET_PREFIX = "TALKBUTTON_SECRET_"  # noqa: S105 - a variable's prefix

_FILE = "_FILE"
_FILE_MAX_BYTES = 4_096


def variable_of(name: str) -> str:
    """Return the variable that may hold a secret."""
    return f"{SECRET_PREFIX}{name.upper()}"


def given_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variable that gives each secret, by the secret's name.

    Raises:
        SettingsError: If one is given twice.
    """
    found: dict[str, str] = {}
    for variable in sorted(environ):
        if not variable.startswith(SECRET_PREFIX):
            continue
        name = variable.removeprefix(SECRET_PREFIX).removesuffix(_FILE).lower()
        if name in found:
            problem = f"and {found[name]} are both set"
            raise SettingsError(f"environment: {variable}", problem, hint="keep one of them")
        found[name] = variable
    return found


def secrets_from_environment(environ: Mapping[str, str], known: Collection[str]) -> dict[str, str]:
    """Return the secrets that the environment gives.

    Args:
        environ: The environment.
        known: Names that this program may know; any other is refused, since a program that is
            given another one's secret can lose it.

    Raises:
        SettingsError: If one is not for this program, or its file cannot be read. No message
            holds a value.
    """
    found = {}
    for name, variable in given_secrets(environ).items():
        if name not in known:
            raise SettingsError(
                f"environment: {variable}",
                "is no secret that this program may know",
                hint="unset it here; docs/howto/secrets.md says which program needs which",
            )
        value = environ[variable]
        found[name] = _read(Path(value), variable) if variable.endswith(_FILE) else value
    return found


def _read(path: Path, variable: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_FILE_MAX_BYTES + 1)
        text = content.decode("ascii").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not ASCII text"
        problem = f"names {path}, which cannot be read: {reason}"
        raise SettingsError(f"environment: {variable}", problem, hint="mend that file") from None
    if len(content) > _FILE_MAX_BYTES:
        problem = f"names {path}, which is longer than {_FILE_MAX_BYTES} bytes"
        raise SettingsError(f"environment: {variable}", problem, hint="put one secret into it")
    return text
