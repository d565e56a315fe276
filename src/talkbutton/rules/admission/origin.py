"""Who asks: the website's origin.

Source: RFC 6454 (origin), WHATWG Fetch ("the Origin header is serialized in one way only", so
comparing text is exact).
"""

from collections.abc import Collection
from functools import lru_cache

from talkbutton.settings.origins import OriginPattern, parse_origin_pattern

__all__ = ["is_origin_allowed"]

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
