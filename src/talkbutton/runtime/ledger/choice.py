"""The ledger that the settings name."""

from pathlib import Path

from talkbutton.runtime.ledger.interface import Ledger
from talkbutton.runtime.ledger.memory import MemoryLedger
from talkbutton.runtime.ledger.sqlite import SqliteLedger
from talkbutton.settings.protection import LimitsSettings

__all__ = ["LEDGER_FILE", "make_ledger"]

LEDGER_FILE = "ledger.sqlite"
"""In the folder of the state that the parts share."""


def make_ledger(
    limits: LimitsSettings, *, state_dir: Path, redis_password: str | None = None
) -> Ledger:
    """Return the ledger that ``limits.store`` names, not yet opened.

    Args:
        limits: Which store, and where.
        state_dir: Folder of the parts' shared state.
        redis_password: Redis's password; None if it has none.
    """
    match limits.store:
        case "memory":
            return MemoryLedger()
        case "sqlite":
            return SqliteLedger(state_dir / LEDGER_FILE)
        case "redis":
            # Heavy, and most deployments have none.
            from talkbutton.runtime.ledger.redis import RedisLedger

            return RedisLedger(limits.redis_url, redis_password)
