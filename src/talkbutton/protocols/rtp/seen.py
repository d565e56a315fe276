"""Remembers which packets came, for as long as it can matter."""

__all__ = ["SeenWindow"]

_WINDOW_PACKETS = 1_024


class SeenWindow:
    """The sequence numbers seen lately, as bits behind the highest one.

    What is older than the window counts as not seen.
    """

    def __init__(self) -> None:
        self._highest = 0
        self._bits = 0

    def add(self, sequence_number: int) -> bool:
        """Note an unwrapped sequence number; return whether it is new."""
        step = sequence_number - self._highest
        if not self._bits or step >= _WINDOW_PACKETS:
            self._highest, self._bits = sequence_number, 1
        elif step > 0:
            self._bits = (self._bits << step | 1) & ((1 << _WINDOW_PACKETS) - 1)
            self._highest = sequence_number
        else:
            bit = 1 << -step
            if self._bits & bit:
                return False
            self._bits |= bit
        return True

    def count_missing(self, after: int, before: int) -> int:
        """Return how many numbers strictly between the two were not seen.

        Args:
            after: An unwrapped sequence number.
            before: Another, above it and not above the highest seen.
        """
        width = before - after - 1
        if width <= 0:
            return 0
        seen = self._bits >> (self._highest - before + 1) & ((1 << width) - 1)
        return width - seen.bit_count()
