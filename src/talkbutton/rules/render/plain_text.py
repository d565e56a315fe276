"""The one check that every configuration writer makes before it writes a value."""

from collections.abc import Container

from talkbutton.errors import SettingsError

__all__ = ["require_plain"]


def require_plain(
    value: str, *, where: str, forbidden: Container[str] = (), length_max: int = 512
) -> str:
    """Return ``value`` unchanged when a one-line configuration file can hold it.

    The refusal never repeats the value: it may be a secret.

    Args:
        value: The text to write.
        where: What the value is for, such as ``pjsip.conf [talkbutton] password``.
        forbidden: Characters that this language can't hold, beside those that none can.
        length_max: Greatest length, in characters.

    Raises:
        SettingsError: If it is empty, too long, starts or ends with a space, or holds a control
            character, a character outside ASCII, or one of ``forbidden``.
    """
    problem = _problem(value, forbidden, length_max)
    if problem is not None:
        raise SettingsError(
            where, problem, hint="choose another value, of letters, digits, '-' and '_'"
        )
    return value


def _problem(value: str, forbidden: Container[str], length_max: int) -> str | None:
    if not value:
        return "is empty"
    if len(value) > length_max:
        return f"is longer than {length_max} characters"
    if not (value.isascii() and value.isprintable()):
        return "holds a line break, a control character or a character outside ASCII"
    if value != value.strip():
        return "starts or ends with a space"
    for character in value:
        if character in forbidden:
            return f"holds {character!r}, which its configuration file can't hold safely"
    return None
