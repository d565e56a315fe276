"""Who holds what at this moment: limits, leases, budgets and used grants, over all edges."""

from talkbutton.runtime.ledger.interface import Ledger
from talkbutton.runtime.ledger.memory import MemoryLedger

__all__ = ["Ledger", "MemoryLedger"]
