"""Who holds what at this moment: limits, leases, budgets and used grants, over all edges."""

from talkbutton.runtime.ledger.choice import LEDGER_FILE, make_ledger
from talkbutton.runtime.ledger.interface import STEP_MAX_S, Ledger
from talkbutton.runtime.ledger.memory import MemoryLedger
from talkbutton.runtime.ledger.sqlite import SqliteLedger

__all__ = ["LEDGER_FILE", "STEP_MAX_S", "Ledger", "MemoryLedger", "SqliteLedger", "make_ledger"]
