"""G.711 mu-law, by table.

Source: ITU-T G.711, table 2; the bias and clip of its 14-bit form, scaled to 16 bits.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["ULAW_SILENCE", "decode_ulaw", "encode_ulaw"]

ULAW_SILENCE = 0xFF
"""The octet for zero."""

_BIAS = 0x84
_CLIP = 32_635
_SEGMENT_SHIFT = 4
_STEP_MASK = 0x0F


def _make_decode_table() -> NDArray[np.int16]:
    octets = ~np.arange(256, dtype=np.int32) & 0xFF
    segment = (octets >> _SEGMENT_SHIFT) & 0x07
    magnitude = ((((octets & _STEP_MASK) << 3) + _BIAS) << segment) - _BIAS
    return np.where(octets & 0x80, -magnitude, magnitude).astype(np.int16)


def _make_encode_table() -> NDArray[np.uint8]:
    """Indexed by the 16 bits of a sample, read without a sign."""
    samples = np.arange(1 << 16, dtype=np.int32).astype(np.uint16).view(np.int16).astype(np.int32)
    biased = np.minimum(np.abs(samples), _CLIP) + _BIAS
    segment = np.floor(np.log2(biased)).astype(np.int32) - 7
    step = (biased >> (segment + 3)) & _STEP_MASK
    sign = np.where(samples < 0, 0x80, 0)
    octets: NDArray[np.uint8] = (~(sign | segment << _SEGMENT_SHIFT | step) & 0xFF).astype(np.uint8)
    return octets


_DECODE = _make_decode_table()
_ENCODE = _make_encode_table()


def decode_ulaw(octets: bytes) -> NDArray[np.int16]:
    """Return the samples that ``octets`` stand for."""
    return _DECODE[np.frombuffer(octets, np.uint8)]


def encode_ulaw(samples: NDArray[np.int16]) -> bytes:
    """Return one octet for each sample."""
    return _ENCODE[samples.view(np.uint16)].tobytes()
