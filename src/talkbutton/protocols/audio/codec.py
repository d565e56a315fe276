"""Between payloads on the wire and frames on the line.

Both codecs carry 20 ms in 160 bytes under an RTP clock of 8,000 Hz; G.722's clock is that of an
old mistake in its registration, its audio has 16 kHz.

Source: RFC 3551, sections 4.5.2 (G722) and 4.5.14 (PCMU), table 4 for the payload types.
"""

from typing import Literal, Protocol

import numpy as np

from talkbutton.protocols.audio.frame import LINE_FRAME_BYTES
from talkbutton.protocols.audio.resample import Downsampler, Upsampler
from talkbutton.protocols.audio.ulaw import decode_ulaw, encode_ulaw

__all__ = ["CodecName", "LineCodec", "UlawCodec", "open_line_codec"]

CodecName = Literal["ulaw", "g722"]


class LineCodec(Protocol):
    """Both directions of one call; each keeps state, so feed every frame in order."""

    @property
    def payload_type(self) -> int:
        """RTP payload type."""

    @property
    def clock_rate_hz(self) -> int:
        """RTP clock."""

    @property
    def samples_per_frame(self) -> int:
        """Ticks of the RTP clock in 20 ms."""

    @property
    def payload_bytes(self) -> int:
        """Bytes of the payload for 20 ms."""

    def decode(self, payload: bytes) -> bytes:
        """Return 640 bytes of PCM at 16 kHz for ``payload_bytes`` bytes."""

    def encode(self, pcm: bytes) -> bytes:
        """Return ``payload_bytes`` bytes for 640 bytes of PCM at 16 kHz."""


class UlawCodec:
    """G.711 mu-law; 2.1 ms of delay each way."""

    payload_type = 0
    clock_rate_hz = 8_000
    samples_per_frame = 160
    payload_bytes = 160

    def __init__(self) -> None:
        self._up = Upsampler()
        self._down = Downsampler()

    def decode(self, payload: bytes) -> bytes:
        """Return 640 bytes of PCM at 16 kHz for 160 bytes."""
        assert len(payload) == self.payload_bytes, len(payload)
        return self._up.resample(decode_ulaw(payload)).tobytes()

    def encode(self, pcm: bytes) -> bytes:
        """Return 160 bytes for 640 bytes of PCM at 16 kHz."""
        assert len(pcm) == LINE_FRAME_BYTES, len(pcm)
        return encode_ulaw(self._down.resample(np.frombuffer(pcm, "<i2")))


def open_line_codec(name: CodecName) -> LineCodec:
    """Return a fresh codec for one call."""
    match name:
        case "ulaw":
            return UlawCodec()
        case "g722":  # PyAV is loaded only where it is used
            from talkbutton.protocols.audio.g722 import G722Codec

            return G722Codec()
