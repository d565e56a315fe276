"""The one place where any exception is caught: around foreign or per-call work."""

import asyncio
import logging
from collections.abc import Awaitable, Iterable

__all__ = ["cancel_and_wait", "failure_of"]

_log = logging.getLogger("talkbutton.tasks")


async def failure_of(work: Awaitable[object], *, what: str) -> Exception | None:
    """Await ``work`` and return what it raised, logged; None if it went well.

    Cancellation passes through, so that a cancelled task still ends as cancelled.

    Args:
        work: What may fail without harm to others.
        what: Its name in the log, such as ``the bot``.
    """
    try:
        await work
    except Exception as exc:  # noqa: BLE001
        _log.exception("%s failed", what)
        return exc
    return None


async def cancel_and_wait(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel ``tasks`` and wait until all have ended, however they do."""
    waiting = list(tasks)
    for task in waiting:
        task.cancel()
    if waiting:
        await asyncio.wait(waiting)
