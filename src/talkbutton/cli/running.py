"""Runs one coroutine until it ends or the process is told to stop."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

import uvloop

__all__ = ["run_until_told"]

_STOPPING = (signal.SIGINT, signal.SIGTERM)


def run_until_told(work: Coroutine[Any, Any, None], *, use_uvloop: bool = True) -> None:
    """Run ``work``; SIGTERM or SIGINT cancels it once, and it may then take its time to end.

    Returns normally when it was told to stop.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop if use_uvloop else None) as runner:
        runner.run(_cancellable(work))


async def _cancellable(work: Coroutine[Any, Any, None]) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    told = False

    def stop() -> None:
        nonlocal told
        if not told:
            told = True
            task.cancel()

    for number in _STOPPING:
        loop.add_signal_handler(number, stop)
    try:
        await work
    except asyncio.CancelledError:
        if not told:
            raise
    finally:
        if told:  # a second Ctrl-C must not spoil the way out
            signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
