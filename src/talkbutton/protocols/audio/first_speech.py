"""Has anybody spoken yet? A measure that costs nothing, for what would cost money. Pure.

Loudness alone tells speech from silence, comfort noise and a quiet room; it takes music and loud
noise for speech. Browsers bring a voice to about -25 dBov, and leave noise far below.
"""

from collections import deque

from talkbutton.protocols.audio.level import level_dbov

__all__ = ["FirstSpeech"]

LOUD_DBOV = -42.0
"""A frame at this level or above may be speech."""

LOUD_FRAMES = 6
WINDOW_FRAMES = 10
"""Six loud frames of 20 ms in a fifth of a second: longer than a click, shorter than a "yes"."""


class FirstSpeech:
    """Takes 20 ms frames until somebody has spoken.

    Attributes:
        was_heard: Whether somebody has; it stays so.
    """

    def __init__(self) -> None:
        self.was_heard = False
        self._is_loud: deque[bool] = deque(maxlen=WINDOW_FRAMES)

    def hear(self, pcm: bytes) -> bool:
        """Take a frame of 16-bit PCM; return whether it is the one that made it speech."""
        if self.was_heard:
            return False
        self._is_loud.append(level_dbov(pcm) >= LOUD_DBOV)
        self.was_heard = sum(self._is_loud) >= LOUD_FRAMES
        return self.was_heard
