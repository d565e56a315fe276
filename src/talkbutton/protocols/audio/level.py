"""How loud a piece of audio is."""

import math

import numpy as np

__all__ = ["LEVEL_MIN_DBOV", "level_dbov"]

LEVEL_MIN_DBOV = -127.0
"""The level of digital silence, and the lowest there is."""

_OVERLOAD = 32_768.0


def level_dbov(pcm: bytes) -> float:
    """Return the level of 16-bit PCM in dB relative to overload, from -127 to 0.

    0 is a square wave at full scale; a sine at full scale has -3.01.

    Source: RFC 6464, section 3; RFC 6465, appendix A.1, on the reference.
    """
    samples = np.frombuffer(pcm, "<i2").astype(np.float32)
    if not samples.size:
        return LEVEL_MIN_DBOV
    mean_square = float(np.dot(samples, samples)) / samples.size
    if not mean_square:
        return LEVEL_MIN_DBOV
    return max(10 * math.log10(mean_square / _OVERLOAD**2), LEVEL_MIN_DBOV)
