"""Holds in one SQLite file, which all programs of a machine share.

One thread owns the connection. A step is one ``BEGIN IMMEDIATE`` transaction, so that only one
program decides at a time; the write-ahead log makes that short, because nothing waits for the disk:
what a power cut could take is the last moments' holds, and they end by themselves anyway.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from talkbutton.errors import ConnectionLost, StackError
from talkbutton.rules.admission.claims import Claim, Full, Hold, decide
from talkbutton.runtime.aio.folder_lock import try_lock
from talkbutton.runtime.ledger.interface import STEP_MAX_S

__all__ = ["SqliteLedger"]

_T = TypeVar("_T")

_VERSION = 1  # in SQLite's user_version; a file of another version is not touched
_BUSY_TIMEOUT_S = 1.5
_OPEN_MAX_S = 5.0
_LOCK_POLL_S = 0.01
_BEGIN_POLL_S = 0.001
_SWEEP_MAX_HOLDS = 100  # a step takes away so many that have ended, far more than it adds

_TABLE = """
CREATE TABLE IF NOT EXISTS holds (
    key TEXT NOT NULL,
    holder TEXT NOT NULL,
    weight REAL NOT NULL,
    until_unix REAL NOT NULL,
    PRIMARY KEY (key, holder)
) WITHOUT ROWID
"""
_INDEXES = (
    "CREATE INDEX IF NOT EXISTS holds_by_holder ON holds (holder)",
    "CREATE INDEX IF NOT EXISTS holds_by_end ON holds (until_unix)",
)
_SWEEP = (
    "DELETE FROM holds WHERE (key, holder) IN"
    " (SELECT key, holder FROM holds WHERE until_unix <= ? LIMIT ?)"
)
_WEIGH = "SELECT coalesce(sum(weight), 0.0) FROM holds WHERE key = ? AND until_unix > ?"
_LIST = "SELECT holder, weight, until_unix FROM holds WHERE key = ? AND until_unix > ?"
_HOLD = "INSERT OR REPLACE INTO holds (key, holder, weight, until_unix) VALUES (?, ?, ?, ?)"
_FIND = "SELECT 1 FROM holds WHERE key = ? AND holder = ? AND until_unix > ?"
_RENEW = "UPDATE holds SET until_unix = ? WHERE key = ? AND holder = ?"
_SETTLE = "UPDATE holds SET weight = ? WHERE key = ? AND holder = ? AND until_unix > ?"


class SqliteLedger:
    """See ``Ledger``.

    Args:
        path: The file; its folder exists.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Open the file; see ``Ledger``."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        try:
            self._connection = await self._in_thread(lambda: _connect(self._path))
        except (sqlite3.Error, OSError, StackError) as exc:
            self._thread.shutdown(wait=False)
            if isinstance(exc, StackError):
                raise
            problem = f"{self._path} cannot be opened: {exc}"
            raise StackError("ledger", problem, hint="check its folder, or move it away") from exc

    async def close(self) -> None:
        """Close the file; see ``Ledger``."""
        if self._thread is not None and self._connection is not None:
            await self._in_thread(self._connection.close)
            self._thread.shutdown(wait=False)
        self._thread = self._connection = None

    async def take(self, holder: str, claims: Sequence[Claim], *, now_unix: float) -> Full | None:
        """Take all claims or none; see ``Ledger``."""

        def step(connection: sqlite3.Connection) -> Full | None:
            connection.execute(_SWEEP, (now_unix, _SWEEP_MAX_HOLDS))
            full = _find_full(connection, claims, now_unix)
            if full is None:
                connection.executemany(
                    _HOLD,
                    [(c.key, holder, c.weight, c.until_unix) for c in claims if c.weight > 0],
                )
            return full

        return await self._step(step)

    async def renew(self, holder: str, *keys: str, until_unix: float, now_unix: float) -> bool:
        """Move holds' end; see ``Ledger``."""

        def step(connection: sqlite3.Connection) -> bool:
            for key in keys:
                if connection.execute(_FIND, (key, holder, now_unix)).fetchone() is None:
                    return False
            connection.executemany(_RENEW, [(until_unix, key, holder) for key in keys])
            return True

        return await self._step(step)

    async def settle(self, holder: str, key: str, *, weight: float, now_unix: float) -> bool:
        """Change a hold's weight; see ``Ledger``."""
        row = (weight, key, holder, now_unix)
        return await self._step(lambda connection: connection.execute(_SETTLE, row).rowcount > 0)

    async def release(self, holder: str, *keys: str) -> None:
        """End holds; see ``Ledger``."""

        def step(connection: sqlite3.Connection) -> None:
            if keys:
                rows = [(key, holder) for key in keys]
                connection.executemany("DELETE FROM holds WHERE key = ? AND holder = ?", rows)
            else:
                connection.execute("DELETE FROM holds WHERE holder = ?", (holder,))

        await self._step(step)

    async def weigh(self, key: str, *, now_unix: float) -> float:
        """Sum what is held; see ``Ledger``."""
        return await self._step(
            lambda connection: float(connection.execute(_WEIGH, (key, now_unix)).fetchone()[0])
        )

    async def _step(self, step: Callable[[sqlite3.Connection], _T]) -> _T:
        connection = self._connection
        if connection is None:
            raise ConnectionLost("the ledger is not open")

        def work() -> _T:
            with _transaction(connection):
                return step(connection)

        try:
            return await self._in_thread(work)
        except sqlite3.Error as exc:
            raise ConnectionLost(f"the ledger {self._path} cannot be used: {exc}") from exc

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        assert self._thread is not None
        running = asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            async with asyncio.timeout(STEP_MAX_S if self._connection is not None else None):
                return await running
        except TimeoutError:
            raise ConnectionLost(f"the ledger {self._path} does not answer") from None


def _find_full(
    connection: sqlite3.Connection, claims: Sequence[Claim], now_unix: float
) -> Full | None:
    """Return what ``decide`` would; holds are read one by one only where there is no room."""
    for claim in claims:
        [held] = connection.execute(_WEIGH, (claim.key, now_unix)).fetchone()
        if held + claim.weight > claim.limit:
            rows = connection.execute(_LIST, (claim.key, now_unix)).fetchall()
            held_now = {claim.key: [Hold(*row) for row in rows]}
            full = decide([claim], held_now, now_unix=now_unix)
            if full is not None:
                return full
    return None


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    _begin(connection)
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _begin(connection: sqlite3.Connection) -> None:
    """Wait for the others' transactions, which are short: SQLite's own waits grow to 100 ms."""
    give_up_at = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= give_up_at:
                raise
            time.sleep(_BEGIN_POLL_S)
        else:
            return


def _connect(path: Path) -> sqlite3.Connection:
    """Open the file, one program after the other: SQLite does not wait while a new file is made."""
    with _alone_in(path.parent):
        return _prepare(path)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        give_up_at = time.monotonic() + _OPEN_MAX_S
        while not try_lock(descriptor):
            if time.monotonic() >= give_up_at:
                raise TimeoutError("another program does not let go of its folder")
            time.sleep(_LOCK_POLL_S)
        yield
    finally:
        os.close(descriptor)


def _prepare(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        _turn_to_wal(connection)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA busy_timeout=0")  # `_begin` waits
        with _transaction(connection):
            _make_table(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _make_table(connection: sqlite3.Connection, path: Path) -> None:
    [version] = connection.execute("PRAGMA user_version").fetchone()
    if version not in (0, _VERSION):
        raise StackError(
            "ledger",
            f"{path} has version {version}, this program reads version {_VERSION}",
            hint="use the program that wrote it, or move the file away",
        )
    for statement in (_TABLE, *_INDEXES, f"PRAGMA user_version={_VERSION}"):
        connection.execute(statement)


def _turn_to_wal(connection: sqlite3.Connection) -> None:
    """A program that closes the file as its last one may hold it for a moment."""
    give_up_at = time.monotonic() + _OPEN_MAX_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() >= give_up_at:
                raise
            time.sleep(_LOCK_POLL_S)
        else:
            return
