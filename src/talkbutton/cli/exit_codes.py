"""What scripts may rely on."""

import enum

__all__ = ["ExitCode"]


class ExitCode(enum.IntEnum):
    """How a command ended."""

    OK = 0
    """It did what it was asked, or what it looked at is well."""

    FINDINGS = 1
    """Something is down or was not found, or an attack succeeded."""

    USAGE = 2
    """The command line is wrong."""

    SETTINGS = 3
    """The settings, or a file they name, cannot be used."""

    STACK = 4
    """A part cannot be installed, started, kept, or attacked to see whether it holds."""
