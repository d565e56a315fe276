"""Audio on a call's line: frames, codecs, resampling, level, loss concealment."""

from talkbutton.protocols.audio.codec import CodecName, LineCodec, open_line_codec
from talkbutton.protocols.audio.concealment import Concealer
from talkbutton.protocols.audio.frame import (
    FRAME_MS,
    LINE_FRAME_BYTES,
    LINE_RATE_HZ,
    LINE_SILENCE_PCM,
    Frame,
)
from talkbutton.protocols.audio.level import level_dbov
from talkbutton.protocols.audio.resample import Downsampler, Upsampler
from talkbutton.protocols.audio.ulaw import decode_ulaw, encode_ulaw

__all__ = [
    "FRAME_MS",
    "LINE_FRAME_BYTES",
    "LINE_RATE_HZ",
    "LINE_SILENCE_PCM",
    "CodecName",
    "Concealer",
    "Downsampler",
    "Frame",
    "LineCodec",
    "Upsampler",
    "decode_ulaw",
    "encode_ulaw",
    "level_dbov",
    "open_line_codec",
]
