"""Who asks: the website's origin.

Source: RFC 6454 (origin), WHATWG Fetch ("the Origin header is serialized in one way only", so
comparing text is exact).
"""

from collections.abc import Collection

__all__ = ["is_origin_allowed"]


def is_origin_allowed(origin: str | None, allowed: Collection[str]) -> bool:
    """Return whether ``origin`` is one of ``allowed``, letter by letter.

    ``null`` is the origin of sandboxed frames and local files, thus of anybody: never allowed.
    """
    return origin is not None and origin != "null" and origin in allowed
