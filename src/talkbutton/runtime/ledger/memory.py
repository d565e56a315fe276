"""Holds in this program's own memory: for one edge that may forget, and for tests."""

from collections.abc import Sequence
from dataclasses import replace

from talkbutton.rules.admission.claims import Claim, Full, Hold, decide

__all__ = ["MemoryLedger"]

_SWEEP_EVERY = 1_000  # takes between two looks for keys that nobody holds any more


class MemoryLedger:
    """See ``Ledger``. Never waits, so that each step is atomic."""

    def __init__(self) -> None:
        self._held: dict[str, dict[str, Hold]] = {}  # by key, then by holder
        self._takes = 0

    def __len__(self) -> int:
        """Return how many holds are remembered, expired ones included."""
        return sum(len(holds) for holds in self._held.values())

    async def open(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    async def take(self, holder: str, claims: Sequence[Claim], *, now_unix: float) -> Full | None:
        """Take all claims or none; see ``Ledger``."""
        self._sweep_sometimes(now_unix)
        held = {claim.key: self._held.get(claim.key, {}).values() for claim in claims}
        full = decide(claims, held, now_unix=now_unix)
        if full is not None:
            return full
        for claim in claims:
            hold = Hold(holder, claim.weight, claim.until_unix)
            self._held.setdefault(claim.key, {})[holder] = hold
        return None

    async def renew(self, holder: str, key: str, *, until_unix: float) -> bool:
        """Move a hold's end; see ``Ledger``."""
        hold = self._held.get(key, {}).get(holder)
        if hold is not None:
            self._held[key][holder] = replace(hold, until_unix=until_unix)
        return hold is not None

    async def settle(self, holder: str, key: str, *, weight: float) -> bool:
        """Change a hold's weight; see ``Ledger``."""
        hold = self._held.get(key, {}).get(holder)
        if hold is not None:
            self._held[key][holder] = replace(hold, weight=weight)
        return hold is not None

    async def release(self, holder: str, *keys: str) -> None:
        """End holds; see ``Ledger``."""
        for key in keys or tuple(self._held):
            holds = self._held.get(key)
            if holds is not None:
                holds.pop(holder, None)
                if not holds:
                    del self._held[key]

    async def weigh(self, key: str, *, now_unix: float) -> float:
        """Sum what is held; see ``Ledger``."""
        holds = self._held.get(key, {}).values()
        return sum(hold.weight for hold in holds if hold.until_unix > now_unix)

    def _sweep_sometimes(self, now_unix: float) -> None:
        self._takes += 1
        if self._takes % _SWEEP_EVERY:
            return
        for key, holds in list(self._held.items()):
            living = {name: hold for name, hold in holds.items() if hold.until_unix > now_unix}
            if living:
                self._held[key] = living
            else:
                del self._held[key]
