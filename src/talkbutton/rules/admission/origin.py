"""Who asks: the website's origin, and the network that the visitor's address is in.

Source: RFC 6454 (origin), WHATWG Fetch ("the Origin header is serialized in one way only", so
comparing text is exact).
"""

from collections.abc import Collection
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from talkbutton.settings.origins import OriginPattern, parse_origin_pattern

__all__ = ["address_prefix", "is_origin_allowed"]

_PREFIX_V4_BITS = 24
_PREFIX_V6_BITS = 56
_ORIGIN_MAX_CHARS = 300


def is_origin_allowed(origin: str | None, allowed: Collection[str]) -> bool:
    """Return whether ``origin`` is one of ``allowed``, or below one with a wildcard.

    ``null`` is the origin of sandboxed frames and local files, thus of anybody: never allowed. None
    is what no browser sends along with a ``POST`` or a WebSocket: never allowed either.

    Args:
        origin: What the browser sent.
        allowed: Origins as settings allow them.
    """
    if origin is None or origin == "null" or len(origin) > _ORIGIN_MAX_CHARS:
        return False
    return any(_pattern(one).matches(origin) for one in allowed)


@lru_cache(maxsize=1_024)
def _pattern(text: str) -> OriginPattern:
    return parse_origin_pattern(text)


def address_prefix(address: str) -> str:
    """Return the network of ``address``: /24 for IPv4, also when mapped into IPv6, /56 for IPv6.

    Raises:
        ValueError: If it is not an IP address.
    """
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    bits = _PREFIX_V4_BITS if parsed.version == 4 else _PREFIX_V6_BITS
    return str(ip_network((parsed, bits), strict=False))
