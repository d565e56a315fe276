"""The journal's one table."""

from sqlalchemy import JSON, Column, Float, Index, Integer, MetaData, String, Table

__all__ = ["JOURNAL_VERSION", "events", "metadata"]

JOURNAL_VERSION = 1
"""Kept in SQLite's ``user_version``; a file of another version is not touched."""

metadata = MetaData()

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("call_id", String(64), nullable=False),
    Column("at_unix", Float, nullable=False),
    Column("program", String(32), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("name", String(64), nullable=False),
    Column("leg", String(16), nullable=False),
    Column("data", JSON, nullable=False),
    Index("events_by_call", "call_id", "at_unix"),
)
