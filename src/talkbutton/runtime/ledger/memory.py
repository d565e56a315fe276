"""Holds in this program's own memory: for one edge that may forget, and for tests."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from talkbutton.rules.admission.claims import Claim, Full, Hold, decide

__all__ = ["MemoryLedger"]

_SWEEP_EVERY = 1_000  # takes between two looks for keys that nobody holds any more


class MemoryLedger:
    """See ``Ledger``. Never waits, so that each step is atomic."""

    def __init__(self) -> None:
        self._held: dict[str, dict[str, Hold]] = {}  # by key, then by holder
        self._keys_of: dict[str, set[str]] = {}  # by holder
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
        for claim in claims:
            holds = self._held.get(claim.key, {}).values()
            # Most claims find room by one sum, without the order of ends that a refusal wants.
            if self._sum(holds, now_unix) + claim.weight > claim.limit:
                full = decide([claim], {claim.key: holds}, now_unix=now_unix)
                if full is not None:
                    return full
        for claim in claims:
            if claim.weight > 0:
                hold = Hold(holder, claim.weight, claim.until_unix)
                self._held.setdefault(claim.key, {})[holder] = hold
                self._keys_of.setdefault(holder, set()).add(claim.key)
        return None

    async def renew(self, holder: str, *keys: str, until_unix: float, now_unix: float) -> bool:
        """Move holds' end; see ``Ledger``."""
        holds = [self._living(holder, key, now_unix) for key in keys]
        if None in holds:
            return False
        for key, hold in zip(keys, holds, strict=True):
            assert hold is not None
            self._held[key][holder] = replace(hold, until_unix=until_unix)
        return True

    async def settle(self, holder: str, key: str, *, weight: float, now_unix: float) -> bool:
        """Change a hold's weight; see ``Ledger``."""
        hold = self._living(holder, key, now_unix)
        if hold is not None:
            self._held[key][holder] = replace(hold, weight=weight)
        return hold is not None

    async def release(self, holder: str, *keys: str) -> None:
        """End holds; see ``Ledger``."""
        for key in keys or tuple(self._keys_of.get(holder, ())):
            self._drop(holder, key)

    async def weigh(self, key: str, *, now_unix: float) -> float:
        """Sum what is held; see ``Ledger``."""
        return self._sum(self._held.get(key, {}).values(), now_unix)

    @staticmethod
    def _sum(holds: Iterable[Hold], now_unix: float) -> float:
        return sum((hold.weight for hold in holds if hold.until_unix > now_unix), 0.0)

    def _living(self, holder: str, key: str, now_unix: float) -> Hold | None:
        hold = self._held.get(key, {}).get(holder)
        return None if hold is None or hold.until_unix <= now_unix else hold

    def _drop(self, holder: str, key: str) -> None:
        holds = self._held.get(key, {})
        if holds.pop(holder, None) is None:
            return
        if not holds:
            del self._held[key]
        self._keys_of[holder].discard(key)
        if not self._keys_of[holder]:
            del self._keys_of[holder]

    def _sweep_sometimes(self, now_unix: float) -> None:
        self._takes += 1
        if self._takes % _SWEEP_EVERY:
            return
        ended = [
            (holder, key)
            for key, holds in self._held.items()
            for holder, hold in holds.items()
            if hold.until_unix <= now_unix
        ]
        for holder, key in ended:
            self._drop(holder, key)
