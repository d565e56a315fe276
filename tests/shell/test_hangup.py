"""SIGHUP makes a program read its secrets again."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from talkbutton.errors import SettingsError
from talkbutton.runtime.aio.hangup import on_hangup

pytestmark = [pytest.mark.shell, pytest.mark.anyio]


async def test_takes_what_is_new_and_keeps_the_old_when_it_is_bad() -> None:
    bad = SettingsError("grant_key", "is too short", hint="mend it")
    answers: Iterator[str | SettingsError] = iter(["first", bad, "third"])
    taken: asyncio.Queue[str] = asyncio.Queue()
    asked = asyncio.Event()

    def read() -> str:
        asked.set()
        answer = next(answers)
        if isinstance(answer, SettingsError):
            raise answer
        return answer

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    task = asyncio.create_task(on_hangup(read, taken.put_nowait))
    try:
        for _ in range(3):  # until the task has begun
            await asyncio.sleep(0)
        assert signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
        async with asyncio.timeout(10):
            os.kill(os.getpid(), signal.SIGHUP)
            assert await taken.get() == "first"
            asked.clear()
            os.kill(os.getpid(), signal.SIGHUP)
            await asked.wait()
            assert taken.empty()
            os.kill(os.getpid(), signal.SIGHUP)
            assert await taken.get() == "third"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        signal.signal(signal.SIGHUP, before)
