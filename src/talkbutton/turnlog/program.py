"""``talkbutton turnlog``: writes what coturn did for each call to the journal, until cancelled.

It holds no secret and has no network. The log holds names that strangers chose, so little is
believed: a refusal that needs no password is written only to a call that the journal knows, and a
call gets no more than so many events.
"""

import asyncio
import logging
from collections import OrderedDict
from pathlib import Path

from talkbutton.operate.stack.follow import LogTail
from talkbutton.protocols.turn import TurnFact, TurnLog
from talkbutton.runtime.journal import Journal, JournalReader

__all__ = ["run"]

_log = logging.getLogger(__name__)

_POLL_S = 0.25
_EVENTS_PER_CALL_MAX = 100
_CALLS_REMEMBERED = 10_000
_QUESTIONS_PER_POLL_MAX = 10


async def run(log: Path, state_dir: Path) -> None:
    """Follow ``log`` until cancelled.

    Args:
        log: coturn's log; it need not be there yet, and may be rotated.
        state_dir: Folder with the journal.

    Raises:
        StackError: If the journal cannot be opened.
    """
    path = state_dir / "journal.sqlite"
    journal = Journal(path, program="turnlog")
    await journal.open()
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(journal.run())
            tasks.create_task(_Scribe(journal, JournalReader(path)).follow(LogTail(log)))
    finally:
        await journal.close()


class _Scribe:
    """Decides which facts are written."""

    def __init__(self, journal: Journal, reader: JournalReader) -> None:
        self._journal = journal
        self._reader = reader
        self._log = TurnLog()
        self._written: OrderedDict[str, int] = OrderedDict()  # events by call id

    async def follow(self, tail: LogTail) -> None:
        """Write what the log tells, until cancelled."""
        while True:
            await self._take(tail.read())
            await asyncio.sleep(_POLL_S)

    async def _take(self, lines: list[str]) -> None:
        asked = 0
        for line in lines:
            fact = self._log.read(line)
            if fact is None:
                continue
            if not fact.is_proven and fact.call_id not in self._written:
                asked += 1
                if asked > _QUESTIONS_PER_POLL_MAX or not await self._reader.has_call(fact.call_id):
                    continue
            self._write(fact)
        if asked > _QUESTIONS_PER_POLL_MAX:
            _log.warning("%d refusals to unknown callers were left out", asked)

    def _write(self, fact: TurnFact) -> None:
        count = self._written.pop(fact.call_id, 0) + 1
        self._written[fact.call_id] = count
        if len(self._written) > _CALLS_REMEMBERED:
            self._written.popitem(last=False)
        if count <= _EVENTS_PER_CALL_MAX:
            self._journal.append(fact.call_id, fact.name, "turn", **fact.data)
