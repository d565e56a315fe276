"""What every keeper of holds can do, wherever it keeps them."""

from collections.abc import Sequence
from typing import Protocol

from talkbutton.rules.admission.claims import Claim, Full

__all__ = ["STEP_MAX_S", "Ledger"]

STEP_MAX_S = 2.0
"""A store that does not answer for so long is lost: nobody is admitted, running calls go on."""


class Ledger(Protocol):
    """Keeps holds; each method is one atomic step over all programs that share the ledger.

    A hold that has ended, by the ``now_unix`` that the caller gives, is as good as gone for every
    method. Every method raises ``ConnectionLost`` if the store does not answer in ``STEP_MAX_S``;
    what was asked may have been done nevertheless, so every hold has an end.
    """

    async def open(self) -> None:
        """Connect, making what is missing.

        Raises:
            StackError: If the store cannot be used; says what to do.
        """

    async def close(self) -> None:
        """Let go of the store; holds stay."""

    async def take(self, holder: str, claims: Sequence[Claim], *, now_unix: float) -> Full | None:
        """Take all claims for ``holder``, or none; None says that all were taken.

        An earlier hold of the same holder under the same key is replaced. A claim without weight
        is only looked at: with limit 0, it asks that nobody hold the key.
        """

    async def renew(self, holder: str, *keys: str, until_unix: float, now_unix: float) -> bool:
        """Let holds end later or earlier; False, and nothing is moved, if one of them is gone."""

    async def settle(self, holder: str, key: str, *, weight: float, now_unix: float) -> bool:
        """Change how much is held, such as to what was really used; False if it is gone."""

    async def release(self, holder: str, *keys: str) -> None:
        """End the holder's holds under these keys; without keys, all of them."""

    async def weigh(self, key: str, *, now_unix: float) -> float:
        """Return the sum of what is held under the key."""
