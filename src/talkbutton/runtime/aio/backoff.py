"""How long to wait before trying again. Pure: the randomness is the caller's."""

from collections.abc import Callable

__all__ = ["Backoff"]


class Backoff:
    """Waits that double up to a limit, each shortened by chance so that many do not come at once.

    Args:
        first_s: Longest first wait.
        max_s: Longest wait at all.
        random: Returns a number from 0 to 1; a wait is cut by up to half.
    """

    def __init__(self, *, first_s: float, max_s: float, random: Callable[[], float]) -> None:
        self._first_s = first_s
        self._max_s = max_s
        self._random = random
        self._next_s = first_s

    def next_s(self) -> float:
        """Return how many seconds to wait now."""
        longest_s = self._next_s
        self._next_s = min(self._next_s * 2, self._max_s)
        return longest_s * (1 - self._random() / 2)

    def reset(self) -> None:
        """Start over: it worked."""
        self._next_s = self._first_s
