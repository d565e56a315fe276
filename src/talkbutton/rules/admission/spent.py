"""Remembers which grants were used, for as long as they would still be valid."""

import heapq

from talkbutton.rules.admission.grant import Grant

__all__ = ["SpentGrants"]


class SpentGrants:
    """Single use within one process; as large as the grants that are still alive."""

    def __init__(self) -> None:
        self._call_ids: set[str] = set()
        self._by_expiry: list[tuple[int, str]] = []

    def __len__(self) -> int:
        """Return how many grants are remembered."""
        return len(self._call_ids)

    def spend(self, grant: Grant, *, now_unix: float) -> bool:
        """Return whether this is the grant's first use, and remember it.

        An expired grant is forgotten here, because ``verify_grant`` refuses it anyway.
        """
        while self._by_expiry and self._by_expiry[0][0] <= now_unix:
            _, call_id = heapq.heappop(self._by_expiry)
            self._call_ids.discard(call_id)
        if grant.call_id in self._call_ids:
            return False
        self._call_ids.add(grant.call_id)
        heapq.heappush(self._by_expiry, (grant.expires_unix, grant.call_id))
        return True
