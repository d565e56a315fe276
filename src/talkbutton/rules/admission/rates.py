"""How often one address may ask, in little memory and little time: for floods, not for accounts.

Exact limits over all edges are ``claims``. This comes before them and is of one edge only.
"""

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Network
from math import ceil

__all__ = ["AddressRates", "Rate", "Taken", "address_bucket"]

_V6_BITS = 64


@dataclass(frozen=True, slots=True)
class Rate:
    """What one address may do.

    Attributes:
        per_s: Requests a second that may go on for ever.
        burst: Requests that may come at once, at least 1.
    """

    per_s: float
    burst: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one question.

    Attributes:
        wait_s: 0.0 if it is allowed, else after how many seconds one is.
        asked_before: Questions that still count against the address, without this one.
    """

    wait_s: float
    asked_before: int


class AddressRates:
    """A token bucket for each address, of the addresses that asked latest.

    An address that is forgotten starts with a full bucket, which it would have had before long:
    with many addresses an attacker needs no forgetting.

    Args:
        rate: What one address may do.
        addresses_max: Addresses that are remembered.
    """

    def __init__(self, rate: Rate, *, addresses_max: int) -> None:
        self._rate = rate
        self._addresses_max = addresses_max
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, and when

    def __len__(self) -> int:
        """Return how many addresses are remembered."""
        return len(self._buckets)

    def take(self, address: str, *, now: float) -> Taken:
        """Count one question, if it is allowed.

        Args:
            address: An IP address.
            now: Monotonic seconds.
        """
        key, full = address_bucket(address), float(self._rate.burst)
        tokens, at = self._buckets.pop(key, (full, now))
        tokens = min(full, tokens + max(0.0, now - at) * self._rate.per_s)
        is_allowed = tokens >= 1.0
        self._buckets[key] = (tokens - 1.0 if is_allowed else tokens, now)
        if len(self._buckets) > self._addresses_max:
            self._buckets.popitem(last=False)
        wait_s = 0.0 if is_allowed else (1.0 - tokens) / self._rate.per_s
        return Taken(wait_s, asked_before=ceil(full - tokens))


def address_bucket(address: str) -> str:
    """Return whose an address is: IPv4 its own, IPv6 that of its /64, which one customer has.

    Raises:
        ValueError: If it has a colon and is not an IPv6 address.
    """
    if ":" not in address:
        return address
    return str(IPv6Network((address, _V6_BITS), strict=False))
