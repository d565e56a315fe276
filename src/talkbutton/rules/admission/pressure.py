"""How hard visitors press, and what a session costs them for it.

Every visitor who asks for a session, and every refusal, adds to three levels: of the visitor's own
address, of the network around it, and of everybody. A level halves every minute. The *strain* is
how many times the ordinary the worst of them is, plus what the request itself looks like
(``bot_signals``). From a strain of 1 on a site asks for work, which doubles with every 1 more.

A crowd alone makes work no more than eight times as hard, so that one who floods the site from
many addresses cannot make honest visitors wait long.
"""

import math
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

__all__ = [
    "ASKED_WEIGHT",
    "FAILED_WEIGHT",
    "REFUSED_WEIGHT",
    "START_MIN_S",
    "SUSPECT_WEIGHT",
    "Counters",
    "Crowd",
    "Levels",
    "decay",
    "is_too_fast",
    "proof_cost",
    "strain",
]

HALF_LIFE_S = 60.0
ASKED_WEIGHT = 1.0
REFUSED_WEIGHT = 1.0
FAILED_WEIGHT = 3.0
SUSPECT_WEIGHT = 6.0
"""Of somebody who did what no browser can do."""

ORDINARY_ADDRESS = 4.0
"""A person who presses four times in a minute has pressed often; a household, sometimes."""

ORDINARY_NETWORK = 30.0
"""An office, or a mobile carrier's shared address."""

ORDINARY_SHARE = 0.25
"""Up to this share of all sessions that the settings allow, the crowd is an ordinary one."""

CROWD_STRAIN_MAX = 4.0

BROWSER_HASHES_PER_S_MAX = 50_000_000
"""JavaScript makes 1 to 3 million on one core; this leaves room for many cores and for years."""

START_MIN_S = 0.002
"""From the grant's making to the signaling socket's first message. A browser opens a socket in
between, which takes it longer even on the edge's own machine."""

ADDRESSES_MAX = 20_000
NETWORKS_MAX = 20_000
"""Levels that are remembered at once; a level takes about 200 bytes."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Who pressed how hard lately, in sessions.

    Attributes:
        address: The visitor's own address; the /64 of an IPv6 address.
        network: The /24 or /48 around it.
        everybody: All visitors of all sites, at this edge.
    """

    address: float
    network: float
    everybody: float


def is_too_fast(*, hashes: int, within_s: float) -> bool:
    """Return whether no browser does so many hashes in that time."""
    return hashes > max(0.0, within_s) * BROWSER_HASHES_PER_S_MAX


def decay(level: float, *, after_s: float) -> float:
    """Return what is left of a level; a clock that went back takes nothing away."""
    return level * math.exp2(-max(0.0, after_s) / HALF_LIFE_S)


def strain(levels: Levels, signal_weight: float, *, sessions_per_minute: int) -> float:
    """Return how many times the ordinary this request is; from 1 on it should cost work.

    Args:
        levels: Before this request.
        signal_weight: What the request itself looks like; see ``bot_signals``.
        sessions_per_minute: What the settings allow over all sites.
    """
    # A steady rate holds a level of the rate times the mean life of what it adds.
    mean_life_minutes = HALF_LIFE_S / 60 / math.log(2)
    ordinary_crowd = ORDINARY_SHARE * sessions_per_minute * mean_life_minutes
    worst = max(
        levels.address / ORDINARY_ADDRESS,
        levels.network / ORDINARY_NETWORK,
        min(levels.everybody / ordinary_crowd, CROWD_STRAIN_MAX),
    )
    return worst + signal_weight


def proof_cost(strain_now: float, *, cost_min: int, cost_max: int) -> int:
    """Return how many hashes the work is to take in the mean."""
    doublings = min(max(0.0, strain_now - 1.0), 64.0)
    return max(cost_min, min(cost_max, round(cost_min * math.exp2(doublings))))


class Counters:
    """Decaying levels by key; the one longest untouched is forgotten first.

    Args:
        keys_max: How many are remembered.
    """

    def __init__(self, keys_max: int) -> None:
        self._keys_max = keys_max
        # The level, and since when it is that.
        self._levels: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        """Return how many levels are remembered."""
        return len(self._levels)

    def level(self, key: Hashable, *, now: float) -> float:
        """Return the level now; 0 if nothing is known."""
        level, at = self._levels.get(key, (0.0, now))
        return decay(level, after_s=now - at)

    def add(self, key: Hashable, weight: float, *, now: float) -> None:
        """Raise a level."""
        self._levels[key] = (self.level(key, now=now) + weight, now)
        self._levels.move_to_end(key)
        if len(self._levels) > self._keys_max:
            self._levels.popitem(last=False)


class Crowd:
    """The three levels of everybody who came lately, at this edge.

    ``now`` is monotonic seconds throughout.

    Args:
        addresses_max: Addresses that are remembered.
        networks_max: Networks that are remembered.
    """

    def __init__(
        self, *, addresses_max: int = ADDRESSES_MAX, networks_max: int = NETWORKS_MAX
    ) -> None:
        self._addresses = Counters(addresses_max)
        self._networks = Counters(networks_max)
        self._everybody = Counters(1)

    def levels(self, address: str, *, now: float) -> Levels:
        """Return the levels that a visitor from this IP address meets."""
        own, network = _scopes(address)
        return Levels(
            self._addresses.level(own, now=now),
            self._networks.level(network, now=now),
            self._everybody.level("", now=now),
        )

    def note(self, address: str, weight: float, *, now: float) -> None:
        """Raise all three levels."""
        own, network = _scopes(address)
        self._addresses.add(own, weight, now=now)
        self._networks.add(network, weight, now=now)
        self._everybody.add("", weight, now=now)


def _scopes(address: str) -> tuple[Hashable, Hashable]:
    """Return the address that counts as one visitor, and the network around it."""
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is None:
            return (6, int(parsed) >> 64), (6, int(parsed) >> 80)
        parsed = parsed.ipv4_mapped
    return (4, int(parsed)), (4, int(parsed) >> 8)
