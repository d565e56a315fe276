"""Who may work now, when more ask than there is time for: who has asked least goes first.

Under a flood all attackers soon have asked before and honest visitors have not, so that a visitor
waits for the few requests in work, not for the flood.
"""

import asyncio
from collections import deque

__all__ = ["FairQueue"]

_LEVELS = 16


class FairQueue:
    """A bounded number of requests in work, and a bounded number that wait for them.

    Args:
        slots: Requests in work at once.
        waiting_max: Requests that wait; beyond it, who has asked most is sent away.
        wait_max_s: Who has waited for so long is sent away.
    """

    def __init__(self, *, slots: int, waiting_max: int, wait_max_s: float) -> None:
        self._free = slots
        self._waiting_max = waiting_max
        self._wait_max_s = wait_max_s
        self._levels: list[deque[asyncio.Future[bool]]] = [deque() for _ in range(_LEVELS)]

    def __len__(self) -> int:
        """Return how many wait."""
        return sum(map(len, self._levels))

    async def enter(self, asked_before: int) -> bool:
        """Wait for a slot; return whether there was one. Who got one must ``leave``.

        Args:
            asked_before: How often this visitor has asked lately.
        """
        if self._free > 0:
            self._free -= 1
            return True
        level = min(asked_before, _LEVELS - 1)
        if len(self) >= self._waiting_max and not self._send_away_above(level):
            return False
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._levels[level].append(turn)
        try:
            async with asyncio.timeout(self._wait_max_s):
                return await turn
        except (TimeoutError, asyncio.CancelledError) as exc:
            self._forget(turn, level)
            if isinstance(exc, TimeoutError):
                return False
            raise

    def leave(self) -> None:
        """Give the slot to who has asked least, and of those to who has waited longest."""
        for waiting in self._levels:
            while waiting:
                turn = waiting.popleft()
                if not turn.done():
                    turn.set_result(True)
                    return
        self._free += 1

    def _send_away_above(self, level: int) -> bool:
        for waiting in reversed(self._levels[level + 1 :]):
            while waiting:
                turn = waiting.pop()
                if not turn.done():
                    turn.set_result(False)
                    return True
        return False

    def _forget(self, turn: asyncio.Future[bool], level: int) -> None:
        """Leave the queue, or hand on the slot that came in the same moment."""
        if turn.cancelled():
            if turn in self._levels[level]:
                self._levels[level].remove(turn)
        elif turn.result():
            self.leave()
