"""The follower of coturn's log, on a file that a test writes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from talkbutton.events import CallEvent
from talkbutton.runtime.journal import Journal, JournalReader
from talkbutton.turnlog import program

pytestmark = [pytest.mark.shell, pytest.mark.anyio]

KNOWN, UNKNOWN = "0193abcdef01" + "5" * 20, "0193abcdef01" + "6" * 20


def line(text: str, session: int = 2) -> str:
    return f"2026-11-24T11:31:25.766+0000 INFO {text} (session {session:018})\n"


def new(call_id: str) -> str:
    return f"allocation new, realm=<talkbutton>, username=<1795519940:{call_id}>, lifetime=600"


def refusal(call_id: str, code: int) -> str:
    return (
        f"realm <talkbutton> user <1795519940:{call_id}>: incoming packet ALLOCATE processed, "
        f"error {code}: Some Reason"
    )


class Written:
    def __init__(self, folder: Path) -> None:
        self.log = folder / "coturn.log"
        self._reader = JournalReader(folder / "journal.sqlite")

    def add(self, *lines: str) -> None:
        with self.log.open("a") as log:
            log.write("".join(lines))

    async def events(
        self, call_id: str, is_all: Callable[[list[CallEvent]], bool]
    ) -> list[CallEvent]:
        async with asyncio.timeout(10):
            while True:
                found = await self._reader.events(call_id)
                turn = [event for event in found if event.leg == "turn"]
                if is_all(turn):
                    return turn
                await asyncio.sleep(0.02)

    async def begun(self) -> CallEvent:
        """Wait until the follower reads, which it does from the end of the file as it was."""

        def is_told(events: list[CallEvent]) -> bool:
            if not events:
                self.add(line(new(KNOWN)))
            return bool(events)

        return (await self.events(KNOWN, is_told))[-1]

    async def ids(self) -> set[str]:
        return {call.call_id for call in await self._reader.calls(limit=1_000)}


@asynccontextmanager
async def following(folder: Path) -> AsyncIterator[Written]:
    journal = Journal(folder / "journal.sqlite", program="edge")
    await journal.open()
    journal.append(KNOWN, "session.admitted", "edge")
    await journal.close()
    written = Written(folder)
    written.add("an old line\n")
    running = asyncio.create_task(program.run(written.log, folder))
    try:
        yield written
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_writes_what_became_of_a_calls_allocation(tmp_path: Path) -> None:
    async with following(tmp_path) as written:
        allocated = await written.begun()
        assert (allocated.name, allocated.program) == ("turn.allocated", "turnlog")
        written.add(line(refusal(KNOWN, 403)))
        events = await written.events(KNOWN, lambda events: events[-1].name == "turn.refused")
        assert events[-1].data["stun_code"] == 403


async def test_a_stranger_can_not_fill_the_journal(tmp_path: Path) -> None:
    """Neither with calls that do not exist, nor with ever more events of one that does."""
    async with following(tmp_path) as written:
        await written.begun()
        written.add(*(line(refusal(UNKNOWN, 401), session) for session in range(100, 120)))
        written.add(*(line(refusal(KNOWN, 401), session) for session in range(1_000, 1_300)))
        limit = program._EVENTS_PER_CALL_MAX
        events = await written.events(KNOWN, lambda events: len(events) >= limit)
        written.add(line(new(UNKNOWN), 5_000))  # proven: the next thing that is written
        await written.events(UNKNOWN, lambda events: len(events) == 1)
        assert len(events) == limit
        assert await written.ids() == {KNOWN, UNKNOWN}
