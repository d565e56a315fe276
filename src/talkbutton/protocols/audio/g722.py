"""G.722 through PyAV: a pure computation in a C library. The only file that knows PyAV."""

import av
import numpy as np

from talkbutton.protocols.audio.frame import LINE_FRAME_BYTES, LINE_RATE_HZ

__all__ = ["G722Codec"]

_BIT_RATE = 64_000
_FRAME_SAMPLES = LINE_FRAME_BYTES // 2


class G722Codec:
    """G.722 at 64 kbit/s; 1.4 ms of delay for both ways together."""

    payload_type = 9
    clock_rate_hz = 8_000
    samples_per_frame = 160
    payload_bytes = 160

    def __init__(self) -> None:
        self._encoder = av.AudioCodecContext.create("g722", "w")
        self._encoder.sample_rate = LINE_RATE_HZ
        self._encoder.layout = "mono"
        self._encoder.format = "s16"
        self._encoder.bit_rate = _BIT_RATE
        self._decoder = av.AudioCodecContext.create("g722", "r")
        self._decoder.sample_rate = LINE_RATE_HZ
        self._decoder.layout = "mono"

    def decode(self, payload: bytes) -> bytes:
        """Return 640 bytes of PCM at 16 kHz for 160 bytes."""
        assert len(payload) == self.payload_bytes, len(payload)
        frames = self._decoder.decode(av.Packet(payload))
        pcm = b"".join(bytes(frame.planes[0])[: 2 * frame.samples] for frame in frames)
        assert len(pcm) == LINE_FRAME_BYTES, len(pcm)
        return pcm

    def encode(self, pcm: bytes) -> bytes:
        """Return 160 bytes for 640 bytes of PCM at 16 kHz."""
        assert len(pcm) == LINE_FRAME_BYTES, len(pcm)
        samples = np.frombuffer(pcm, np.int16).reshape(1, _FRAME_SAMPLES)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = LINE_RATE_HZ
        payload = b"".join(bytes(packet) for packet in self._encoder.encode(frame))
        assert len(payload) == self.payload_bytes, len(payload)
        return payload
