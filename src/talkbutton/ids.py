"""Identifiers, made from the time and random bytes that the caller supplies."""

__all__ = ["CALL_ID_RANDOM_BYTES", "call_id_unix", "is_call_id", "make_call_id"]

CALL_ID_RANDOM_BYTES = 10
"""How many random bytes ``make_call_id`` wants."""

_LENGTH = 32
_HEX = frozenset("0123456789abcdef")


def make_call_id(*, now_unix_ms: int, random_bytes: bytes) -> str:
    """Return a call id: 12 hex digits of Unix milliseconds, then 20 random ones.

    It sorts by time and is safe as a Janus ``opaque_id``, a SIP header value, a channel id and a
    file name.
    """
    assert len(random_bytes) == CALL_ID_RANDOM_BYTES, len(random_bytes)
    return f"{now_unix_ms & (1 << 48) - 1:012x}{random_bytes.hex()}"


def is_call_id(text: str) -> bool:
    """Return whether ``text`` has the form of a call id."""
    return len(text) == _LENGTH and _HEX.issuperset(text)


def call_id_unix(call_id: str) -> float:
    """Return when a call id was made, in Unix seconds; its milliseconds are cut off."""
    return int(call_id[:12], 16) / 1000
