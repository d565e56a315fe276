"""What every keeper of holds can do, wherever it keeps them."""

from collections.abc import Sequence
from typing import Protocol

from talkbutton.rules.admission.claims import Claim, Full

__all__ = ["Ledger"]


class Ledger(Protocol):
    """Keeps holds; each method is one atomic step over all programs that share the ledger.

    Every method raises ``ConnectionLost`` if the store cannot be asked within its deadline.
    """

    async def open(self) -> None:
        """Connect, making what is missing.

        Raises:
            StackError: If the store cannot be used; says what to do.
        """

    async def close(self) -> None:
        """Let go of the store; holds stay."""

    async def take(self, holder: str, claims: Sequence[Claim], *, now_unix: float) -> Full | None:
        """Take all claims for ``holder``, or none; None says that all were taken."""

    async def renew(self, holder: str, key: str, *, until_unix: float) -> bool:
        """Let a hold end later or earlier; returns whether it was still there."""

    async def settle(self, holder: str, key: str, *, weight: float) -> bool:
        """Change how much is held, such as to what was really used; as ``renew`` otherwise."""

    async def release(self, holder: str, *keys: str) -> None:
        """End the holder's holds under these keys; without keys, all of them."""

    async def weigh(self, key: str, *, now_unix: float) -> float:
        """Return the sum of what is held under the key."""
