"""Writes call events to SQLite without ever making a call wait.

``append`` stamps, logs and queues; ``run`` writes batches. What cannot be written, because the
disk is full or the file is gone, is counted, said in the log at once and recorded as
``journal.events_lost`` as soon as writing works again. The call goes on meanwhile.
"""

import asyncio
import logging
import os
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from talkbutton.errors import StackError
from talkbutton.events import CallEvent, Leg, Scalar, to_json_line
from talkbutton.runtime.aio.folder_lock import try_lock
from talkbutton.runtime.journal.tables import JOURNAL_VERSION, events, metadata

__all__ = ["Journal", "open_engine"]

_log = logging.getLogger("talkbutton.journal")

_QUEUE_MAX_EVENTS = 10_000
_BATCH_MAX_EVENTS = 500
_CALLS_REMEMBERED = 5_000
_RETRY_S = 1.0
_BUSY_TIMEOUT_S = 5
_LOCK_POLL_S = 0.01


class Journal:
    """One program's door to the journal; every program on the machine may hold one."""

    def __init__(self, path: Path, *, program: str) -> None:
        self.events_lost = 0
        self._path = path
        self._program = program
        self._next_seq: OrderedDict[str, int] = OrderedDict()
        self._queue: asyncio.Queue[CallEvent] = asyncio.Queue(_QUEUE_MAX_EVENTS)
        self._unreported: Counter[str] = Counter()  # lost events by call id
        self._engine: AsyncEngine | None = None

    async def open(self) -> None:
        """Create the file where there is none.

        Raises:
            StackError: If the file cannot be used.
        """
        self._engine = await open_engine(self._path)

    def append(self, call_id: str, name: str, leg: Leg, **data: Scalar) -> None:
        """Record that something happened, now. Never waits and never raises."""
        event = CallEvent(
            time.time(), call_id, self._program, self._take_seq(call_id), name, leg, data
        )
        _log.info(to_json_line(event))
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self._lose([event], "the queue is full")

    async def run(self) -> None:
        """Write what is appended, until cancelled; a batch that was begun is written to its end."""
        while True:
            batch = await self._next_batch()
            writing = asyncio.ensure_future(self._write(batch))
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                await writing
                raise

    async def close(self) -> None:
        """Write what is still queued and close the file."""
        while not self._queue.empty():
            await self._write(self._drain([]))
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = None

    def _take_seq(self, call_id: str) -> int:
        seq = self._next_seq.pop(call_id, 0)
        self._next_seq[call_id] = seq + 1
        if len(self._next_seq) > _CALLS_REMEMBERED:
            self._next_seq.popitem(last=False)
        return seq

    async def _next_batch(self) -> list[CallEvent]:
        if not self._unreported:
            return self._drain([await self._queue.get()])
        try:  # a loss waits to be recorded: try again even if nothing new happens
            return self._drain([await asyncio.wait_for(self._queue.get(), _RETRY_S)])
        except TimeoutError:
            return []

    def _drain(self, batch: list[CallEvent]) -> list[CallEvent]:
        while not self._queue.empty() and len(batch) < _BATCH_MAX_EVENTS:
            batch.append(self._queue.get_nowait())
        return batch

    async def _write(self, batch: list[CallEvent]) -> None:
        assert self._engine is not None
        rows = batch + self._loss_events()
        if not rows:
            return
        try:
            async with self._engine.begin() as connection:
                await connection.execute(events.insert(), [_to_row(event) for event in rows])
        except (SQLAlchemyError, OSError) as exc:
            self._lose(batch, str(getattr(exc, "orig", exc)))
        else:
            self._unreported.clear()

    def _loss_events(self) -> list[CallEvent]:
        return [
            CallEvent(
                time.time(),
                call_id,
                self._program,
                self._take_seq(call_id),
                "journal.events_lost",
                "edge" if self._program == "edge" else "bridge",
                {"events_lost": count},
            )
            for call_id, count in self._unreported.items()
        ]

    def _lose(self, batch: Sequence[CallEvent], why: str) -> None:
        self.events_lost += len(batch)
        self._unreported.update(event.call_id for event in batch)
        _log.error(
            "%d call events could not be recorded in %s: %s; calls go on, free some disk space",
            len(batch),
            self._path,
            why,
        )


def _to_row(event: CallEvent) -> dict[str, object]:
    return {
        "call_id": event.call_id,
        "at_unix": event.at_unix,
        "program": event.program,
        "seq": event.seq,
        "name": event.name,
        "leg": event.leg,
        "data": dict(event.data),
    }


async def open_engine(path: Path) -> AsyncEngine:
    """Open the journal's file, making it where there is none.

    Raises:
        StackError: If the file cannot be used, or is of another version.
    """
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{path}", connect_args={"timeout": _BUSY_TIMEOUT_S}
    )
    try:
        async with _alone_in(path.parent):
            version = await _prepare(engine)
    except (SQLAlchemyError, OSError) as exc:
        await engine.dispose()
        why = str(getattr(exc, "orig", exc)) or "another program does not let go of it"
        problem = f"{path} cannot be opened: {why}"
        raise StackError("journal", problem, hint="check its folder, or move it away") from exc
    if version not in (0, JOURNAL_VERSION):
        await engine.dispose()
        raise StackError(
            "journal",
            f"{path} has version {version}, this program reads version {JOURNAL_VERSION}",
            hint="use the program that wrote it, or move the file away",
        )
    return engine


@asynccontextmanager
async def _alone_in(folder: Path) -> AsyncIterator[None]:
    """Hold the folder's lock, so that programs that start together prepare one after the other.

    SQLite itself does not wait when two connections turn a new file to WAL: one of them fails.

    Raises:
        OSError: If the folder is not there.
        TimeoutError: If another program does not let go of it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        async with asyncio.timeout(_BUSY_TIMEOUT_S):
            while not try_lock(descriptor):  # noqa: ASYNC110 - another program's lock: no event
                await asyncio.sleep(_LOCK_POLL_S)
        yield
    finally:
        os.close(descriptor)


async def _prepare(engine: AsyncEngine) -> int:
    """Make the table where there is none, and return the version found, 0 for a new file."""
    async with engine.connect() as opened:
        connection = await opened.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("PRAGMA journal_mode=WAL"))
        await connection.execute(text("BEGIN IMMEDIATE"))
        version: int = (await connection.execute(text("PRAGMA user_version"))).scalar_one()
        if version == 0:
            await connection.run_sync(metadata.create_all)
            await connection.execute(text(f"PRAGMA user_version={JOURNAL_VERSION}"))
        await connection.execute(text("COMMIT"))
    return version
