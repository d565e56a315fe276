"""Append-only record of what happened to every call."""

from talkbutton.runtime.journal.journal import Journal
from talkbutton.runtime.journal.reader import CallSummary, JournalReader

__all__ = ["CallSummary", "Journal", "JournalReader"]
