"""Audio as it travels inside talkbutton: 20 ms of PCM that knows its rate.

Carrying the rate with every frame turns a wrong sample format from silence into an error.
"""

from dataclasses import dataclass

__all__ = ["FRAME_MS", "LINE_FRAME_BYTES", "LINE_RATE_HZ", "LINE_SILENCE_PCM", "Frame"]

FRAME_MS = 20
"""Length of one frame."""

LINE_RATE_HZ = 16_000
"""Rate on a call's line, whatever the codec on the wire."""

LINE_FRAME_BYTES = LINE_RATE_HZ * FRAME_MS // 1000 * 2
"""640: one 20 ms frame at ``LINE_RATE_HZ``."""

LINE_SILENCE_PCM = bytes(LINE_FRAME_BYTES)
"""Comfort silence: what stands for a frame where there is nothing to hear."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Signed 16-bit little-endian mono PCM.

    Attributes:
        pcm: The samples.
        rate_hz: Samples per second.
        is_concealed: Made up, not received: by loss concealment, or as silence.
    """

    pcm: bytes
    rate_hz: int
    is_concealed: bool = False

    @property
    def duration_ms(self) -> float:
        """Length in milliseconds."""
        return len(self.pcm) / 2 / self.rate_hz * 1000
