"""The one place where any exception is caught: around foreign or per-call work."""

import asyncio
import logging
from collections.abc import Awaitable, Iterable

from talkbutton.errors import ConnectionLost, RemoteError

__all__ = ["Loss", "cancel_and_wait", "failure_of", "until_lost"]

Loss = ConnectionLost | RemoteError
"""Why a connection to a server is of no use any more."""

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


async def until_lost(*works: Awaitable[None]) -> Loss:
    """Do the works side by side until one of them raises a ``Loss``; stop all and return it.

    Nothing is raised inside the task group on purpose: one of Python 3.11 that fails in the moment
    it is cancelled forgets the cancellation, and the program would not stop.
    """
    lost: asyncio.Future[Loss] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as tasks:
        workers = [tasks.create_task(_tell_loss(work, lost)) for work in works]
        loss = await lost
        for worker in workers:
            worker.cancel()
    return loss


async def _tell_loss(work: Awaitable[None], lost: asyncio.Future[Loss]) -> None:
    try:
        await work
    except (ConnectionLost, RemoteError) as exc:
        if not lost.done():
            lost.set_result(exc)
