"""Reads calls back from the journal."""

import json
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import and_, func, select

from talkbutton.events import CallEvent
from talkbutton.runtime.journal.journal import open_engine
from talkbutton.runtime.journal.tables import events

__all__ = ["CallSummary", "JournalReader"]


@dataclass(frozen=True, slots=True)
class CallSummary:
    """One line about a call.

    Attributes:
        call_id: The call's id.
        started_unix: Time of its first event, Unix seconds.
        ended_unix: Time of its last event, Unix seconds.
        events: How many events it has.
        cause: Why it ended; None while nothing says so.
    """

    call_id: str
    started_unix: float
    ended_unix: float
    events: int
    cause: str | None


class JournalReader:
    """Queries over one journal file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def calls(self, *, limit: int = 20) -> list[CallSummary]:
        """Return the latest calls, newest first.

        Sessions that were refused and what the operator did have events but are no calls.
        """
        engine = await open_engine(self._path)
        by_call = (
            select(
                events.c.call_id,
                func.min(events.c.at_unix),
                func.max(events.c.at_unix),
                func.count(),
                func.max(events.c.data).filter(events.c.name == "call.ended"),
            )
            .group_by(events.c.call_id)
            .having(func.max(and_(events.c.leg != "operator", events.c.name != "session.refused")))
            .order_by(func.min(events.c.at_unix).desc())
            .limit(limit)
        )
        try:
            async with engine.connect() as connection:
                rows = (await connection.execute(by_call)).all()
        finally:
            await engine.dispose()
        return [
            CallSummary(call_id, started_unix, ended_unix, count, _cause(ended))
            for call_id, started_unix, ended_unix, count, ended in rows
        ]

    async def has_call(self, call_id: str) -> bool:
        """Return whether anything is known about a call."""
        engine = await open_engine(self._path)
        query = select(events.c.call_id).where(events.c.call_id == call_id).limit(1)
        try:
            async with engine.connect() as connection:
                return (await connection.execute(query)).first() is not None
        finally:
            await engine.dispose()

    async def events(self, call_id: str) -> list[CallEvent]:
        """Return a call's events in order; ``call_id`` may be a unique beginning of the id."""
        engine = await open_engine(self._path)
        query = (
            select(events)
            .where(events.c.call_id.startswith(call_id, autoescape=True))
            .order_by(events.c.at_unix, events.c.program, events.c.seq)
        )
        try:
            async with engine.connect() as connection:
                rows = (await connection.execute(query)).all()
        finally:
            await engine.dispose()
        return [
            CallEvent(r.at_unix, r.call_id, r.program, r.seq, r.name, r.leg, r.data) for r in rows
        ]


def _cause(data: object) -> str | None:
    decoded = json.loads(data) if isinstance(data, str) else data
    cause = decoded.get("cause") if isinstance(decoded, dict) else None
    return cause if isinstance(cause, str) else None
