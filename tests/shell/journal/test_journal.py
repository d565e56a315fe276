import asyncio
import logging
import sqlite3
from pathlib import Path

import pytest

from talkbutton.errors import StackError
from talkbutton.runtime.journal import Journal, JournalReader

pytestmark = [pytest.mark.shell, pytest.mark.anyio]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


async def open_journal(path: Path, program: str = "edge") -> Journal:
    journal = Journal(path, program=program)
    await journal.open()
    return journal


async def test_two_programs_write_one_timeline(path: Path) -> None:
    edge, bridge = await asyncio.gather(open_journal(path), open_journal(path, "bridge"))
    edge.append("c1", "session.admitted", "edge", site="default")
    bridge.append("c1", "channel.entered", "asterisk")
    edge.append("c1", "call.ended", "edge", cause="visitor_hung_up")
    await edge.close()
    await bridge.close()

    reader = JournalReader(path)
    events = await reader.events("c1")
    assert [(e.program, e.seq, e.name) for e in events] == [
        ("edge", 0, "session.admitted"),
        ("bridge", 0, "channel.entered"),
        ("edge", 1, "call.ended"),
    ]
    assert events[0].data == {"site": "default"}
    [call] = await reader.calls()
    assert (call.call_id, call.events, call.cause) == ("c1", 3, "visitor_hung_up")


async def test_programs_that_start_together_all_open_a_new_journal(tmp_path: Path) -> None:
    for attempt in range(20):
        path = tmp_path / f"{attempt}.sqlite"
        journals = [Journal(path, program=f"program-{n}") for n in range(4)]
        async with asyncio.TaskGroup() as opening:
            for journal in journals:
                opening.create_task(journal.open())
        for journal in journals:
            await journal.close()


async def test_calls_are_listed_newest_first_and_found_by_a_beginning(path: Path) -> None:
    journal = await open_journal(path)
    for call_id in ("a1", "b2", "b_3"):
        journal.append(call_id, "session.admitted", "edge")
    await journal.close()
    reader = JournalReader(path)
    assert [call.call_id for call in await reader.calls(limit=2)] == ["b_3", "b2"]
    assert [event.call_id for event in await reader.events("a")] == ["a1"]
    assert await reader.events("b%") == []


async def test_a_full_disk_never_reaches_the_call_and_is_said(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = await open_journal(path)
    with caplog.at_level(logging.ERROR, "talkbutton.journal"):
        # SQLite's own way to be full: the file may not grow by one page more.
        await _limit_pages(journal, "PRAGMA max_page_count=1")
        journal.append("c1", "session.admitted", "edge", filler="x" * 20_000)
        await journal._write(journal._drain([]))
    assert journal.events_lost == 1
    assert "could not be recorded" in caplog.text
    assert "full" in caplog.text

    await _limit_pages(journal, "PRAGMA max_page_count=100000")
    journal.append("c1", "call.ended", "edge", cause="bot_hung_up")
    await journal.close()
    events = await JournalReader(path).events("c1")
    assert [e.name for e in events] == ["call.ended", "journal.events_lost"]
    assert events[1].data == {"events_lost": 1}


async def _limit_pages(journal: Journal, pragma: str) -> None:
    assert journal._engine is not None
    async with journal._engine.begin() as connection:
        await connection.exec_driver_sql(pragma)


async def test_a_flood_of_events_is_bounded_and_counted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("talkbutton.runtime.journal.journal._QUEUE_MAX_EVENTS", 3)
    journal = await open_journal(path)
    for _ in range(5):
        journal.append("c1", "browser.stats", "browser")
    assert journal.events_lost == 2
    await journal.close()


async def test_run_writes_while_the_program_lives(path: Path) -> None:
    journal = await open_journal(path)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(journal.run())
        journal.append("c1", "session.admitted", "edge")
        async with asyncio.timeout(5):
            while not await JournalReader(path).events("c1"):  # noqa: ASYNC110 - another connection
                await asyncio.sleep(0.01)
        running.cancel()
    await journal.close()


async def test_stopping_in_the_middle_of_a_write_loses_nothing(path: Path) -> None:
    journal = await open_journal(path)
    running = asyncio.ensure_future(journal.run())
    for _ in range(20):
        journal.append("c1", "browser.stats", "browser")
    while not journal._queue.empty():  # noqa: ASYNC110 - the batch is taken, not yet written
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await journal.close()
    assert len(await JournalReader(path).events("c1")) == 20


async def test_a_journal_of_another_version_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(StackError, match="version 99"):
        await Journal(path, program="edge").open()


async def test_a_file_that_is_no_journal_is_refused(path: Path) -> None:
    path.write_bytes(  # noqa: ASYNC240 - before anything runs
        b"not a database, but long enough to look at " * 10
    )
    with pytest.raises(StackError, match="cannot be opened"):
        await Journal(path, program="edge").open()


async def test_a_journal_in_a_missing_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="cannot be opened"):
        await Journal(tmp_path / "missing" / "journal.sqlite", program="edge").open()


async def test_refused_sessions_and_what_the_operator_did_are_no_calls(path: Path) -> None:
    journal = await open_journal(path)
    journal.append("a1", "session.admitted", "edge")
    journal.append("b2", "session.refused", "edge", code="origin_refused")
    journal.append("c3", "doctor.finished", "operator", held=1)
    await journal.close()
    reader = JournalReader(path)
    assert [call.call_id for call in await reader.calls()] == ["a1"]
    assert [event.name for event in await reader.events("c3")] == ["doctor.finished"]
