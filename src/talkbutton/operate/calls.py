"""Ends a call from outside: revoked on the ledger first, then hung up over the bus.

The bus makes it quick on this machine; an edge that the bus does not reach learns it from the
ledger, at the latest when it next renews the call's leases.
"""

import os
from pathlib import Path

from talkbutton.errors import ConnectionLost, StackError
from talkbutton.rules.admission.call_claims import call_lease, revocation
from talkbutton.runtime.bus import BusMessage, LocalBus
from talkbutton.runtime.journal import Journal
from talkbutton.runtime.ledger import Ledger

__all__ = ["end_call"]


async def end_call(call_id: str, ledger: Ledger, state_dir: Path, *, now_unix: float) -> bool:
    """End a call, which then can neither start, go on nor be refreshed.

    Args:
        call_id: The whole id.
        ledger: Who holds what; open.
        state_dir: Folder with the bus and the journal.
        now_unix: Wall-clock time in Unix seconds.

    Returns:
        Whether it was going on.

    Raises:
        StackError: If the ledger or the journal cannot be used; then the call goes on.
    """
    try:
        is_alive = await _revoke(call_id, ledger, now_unix)
    except ConnectionLost as exc:
        hint = "try again when it can be reached"
        raise StackError("calls", f"{exc}; the call goes on", hint=hint) from exc
    await _record(call_id, state_dir)
    _hang_up(call_id, state_dir)
    return is_alive


async def _revoke(call_id: str, ledger: Ledger, now_unix: float) -> bool:
    lease = call_lease(call_id, until_unix=0.0).key
    is_alive = await ledger.weigh(lease, now_unix=now_unix) > 0
    await ledger.take("operator", [revocation(call_id, now_unix=now_unix)], now_unix=now_unix)
    await ledger.release(call_id, lease)  # so that the edge's next renewal fails, and asks why
    return is_alive


async def _record(call_id: str, state_dir: Path) -> None:
    journal = Journal(state_dir / "journal.sqlite", program="cli")
    await journal.open()
    journal.append(call_id, "grant.revoked", "edge")
    await journal.close()


def _hang_up(call_id: str, state_dir: Path) -> None:
    bus = LocalBus(state_dir / "bus", f"calls-end-{os.getpid()}")
    bus.open()
    try:
        bus.publish(BusMessage("call.hang_up", call_id, {"cause": "operator_hung_up"}))
    finally:
        bus.close()
