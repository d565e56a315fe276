"""Counts who is inside, and lets in no more than the house holds."""

from collections import Counter
from collections.abc import Callable, Collection
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_address

from talkbutton.rules.admission.rates import address_bucket

__all__ = ["Doors"]


class Doors:
    """Connections at once: of one address, and in all.

    Args:
        all_max: Connections in all.
        per_address_max: Connections of one address; IPv6 counts by its /64.
        exempt: Networks that count in all only: reverse proxies carry many visitors.
    """

    def __init__(
        self,
        *,
        all_max: int,
        per_address_max: int,
        exempt: Collection[IPv4Network | IPv6Network] = (),
    ) -> None:
        self._all_max = all_max
        self._per_address_max = per_address_max
        self._exempt = exempt
        self._inside: Counter[str] = Counter()
        self._all = 0

    def __len__(self) -> int:
        """Return how many are inside."""
        return self._all

    def enter(self, address: str) -> Callable[[], None] | None:
        """Let one more of ``address`` in; None if there is no room.

        Returns:
            How to leave; leaving twice is leaving once.
        """
        key = address_bucket(address)
        if self._all >= self._all_max:
            return None
        if self._inside[key] >= self._per_address_max and not self._is_exempt(address):
            return None
        self._inside[key] += 1
        self._all += 1
        return partial(self._leave, [key])

    def _leave(self, keys: list[str]) -> None:
        while keys:
            key = keys.pop()
            self._all -= 1
            self._inside[key] -= 1
            if self._inside[key] == 0:
                del self._inside[key]

    def _is_exempt(self, address: str) -> bool:
        parsed = ip_address(address)
        return any(parsed in network for network in self._exempt)
