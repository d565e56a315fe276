"""Counters that wrap around, made into ones that do not.

The only place that knows about wrap-around: everything else works with unwrapped integers.
"""

__all__ = ["SEQUENCE_NUMBER_BITS", "TIMESTAMP_BITS", "unwrap"]

SEQUENCE_NUMBER_BITS = 16
TIMESTAMP_BITS = 32


def unwrap(wrapped: int, *, last: int, bits: int = SEQUENCE_NUMBER_BITS) -> int:
    """Return the integer nearest to ``last`` whose low ``bits`` bits are ``wrapped``.

    A step of exactly half the space counts as backwards. The result may be negative where a
    packet came before the first one that was seen.

    Args:
        wrapped: The counter as it came from the wire.
        last: An unwrapped value near it, such as the highest so far.
        bits: Width on the wire: 16 for sequence numbers, 32 for timestamps.

    Source: RFC 3550, appendix A.1, on wrap-around.
    """
    half = 1 << (bits - 1)
    mask = (1 << bits) - 1
    return last + ((wrapped - last + half) & mask) - half
