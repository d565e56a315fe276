"""Runs something beside something else."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from talkbutton.errors import TalkbuttonError

__all__ = ["beside"]


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run ``work`` while the context lasts, then cancel it.

    An error of ours that leaves the context does so as itself, not in a group.
    """
    failure: TalkbuttonError | None = None
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(work)
        try:
            yield
        except TalkbuttonError as exc:
            failure = exc
        finally:
            task.cancel()
    if failure is not None:
        raise failure
