"""SIGHUP: a program reads its secrets again, and goes on with the calls it has."""

import asyncio
import logging
import signal
from collections.abc import Callable
from typing import TypeVar

from talkbutton.errors import SettingsError

__all__ = ["on_hangup"]

_log = logging.getLogger("talkbutton.hangup")
_Read = TypeVar("_Read")


async def on_hangup(read: Callable[[], _Read], take: Callable[[_Read], None]) -> None:
    """Give ``take`` what ``read`` returns, for each SIGHUP, until cancelled.

    What cannot be read changes nothing; the log says why. Before and after, SIGHUP ends the
    process, as it does by default.
    """

    def again() -> None:
        try:
            take(read())
        except SettingsError as exc:
            _log.error("the secrets are as they were, since the new ones cannot be used: %s", exc)
        else:
            _log.info("the secrets were read again")

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, again)
    try:
        await asyncio.Event().wait()
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
