"""Gives coturn its secrets, and new ones while it runs.

coturn looks its secrets up in a SQLite file each time somebody allocates. So they are kept there
and not in its configuration: a rotation is one transaction, needs no restart, and cuts nobody off,
since a relay that is up keeps the key it was made with. coturn sees the file read-only.

Source: coturn's README, "TURN REST API"; ``src/apps/relay/dbdrivers/dbd_sqlite.c``.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from talkbutton.errors import StackError
from talkbutton.operate.stack.places import Places
from talkbutton.rules.render import TURN_DATABASE
from talkbutton.settings.model import Secrets, Settings

__all__ = ["apply_turn_secrets", "write_turn_secrets"]

_LOCKED_MAX_S = 5.0
_TABLES = {
    "turn_secret": "realm varchar(127), value varchar(127), primary key (realm, value)",
    # coturn asks for these as well; they stay empty.
    "turn_origin_to_realm": "origin varchar(127), realm varchar(127), primary key (origin)",
    "turn_realm_option": "realm varchar(127), opt varchar(32), value varchar(128)",
    "allowed_peer_ip": "realm varchar(127), ip_range varchar(256)",
    "denied_peer_ip": "realm varchar(127), ip_range varchar(256)",
}


def apply_turn_secrets(places: Places, settings: Settings, secrets: Secrets) -> None:
    """Let a coturn that runs accept ``turn_secret`` and ``turn_secret_previous``, and no other.

    It holds from the next allocation on. Relays that are up stay up, whatever secret they were
    made with. Before the first ``up`` there is nothing to do: ``up`` itself writes the secrets.

    Raises:
        StackError: If the file cannot be written.
    """
    path = places.config("coturn") / TURN_DATABASE
    if path.exists():
        write_turn_secrets(path, settings, secrets)


def write_turn_secrets(path: Path, settings: Settings, secrets: Secrets) -> None:
    """Put both secrets, and no others, into coturn's file; it is made where there is none.

    Raises:
        StackError: If the file cannot be written.
    """
    accepted = [secrets.turn_secret, secrets.turn_secret_previous]
    rows = {
        (settings.turn.realm, secret.get_secret_value())
        for secret in accepted
        if secret is not None
    }
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600))
        with closing(sqlite3.connect(path, timeout=_LOCKED_MAX_S)) as database:
            # A reader that meets the commit is refused, not made to wait: so the commit is short.
            database.execute("PRAGMA synchronous=OFF")
            with database:
                database.execute("BEGIN IMMEDIATE")
                for name, columns in _TABLES.items():
                    database.execute(f"CREATE TABLE IF NOT EXISTS {name} ({columns})")
                database.execute("DELETE FROM turn_secret")
                database.executemany("INSERT INTO turn_secret VALUES (?, ?)", sorted(rows))
    except (OSError, sqlite3.Error) as exc:
        problem = f"coturn's secrets cannot be written to {path}: {exc}"
        raise StackError("coturn", problem, hint="check the free space and who owns it") from exc
