"""The frame that carries one message on a speech worker's socket.

    u32 total length   bytes that follow this field
    u32 header length  bytes of the JSON header
    header             one JSON object, UTF-8
    payload            what is left: PCM, vectors, or nothing

Numbers are big-endian. Both lengths are bounded before anything is kept, so that a broken peer
costs a connection and no memory.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from talkbutton.errors import ProtocolError

__all__ = ["FRAME_MAX_BYTES", "HEADER_MAX_BYTES", "FrameReader", "SpeechFrame", "encode_frame"]

FRAME_MAX_BYTES = 4 << 20
"""Largest total length: over a minute of 16 kHz PCM."""

HEADER_MAX_BYTES = 64 << 10
"""Largest header."""

_LENGTH = struct.Struct(">I")
_PREFIX = struct.Struct(">II")


@dataclass(frozen=True, slots=True)
class SpeechFrame:
    """One frame, with its header decoded.

    Attributes:
        header: The JSON object.
        payload: The bytes behind it.
    """

    header: Mapping[str, Any]
    payload: bytes = b""


def encode_frame(frame: SpeechFrame) -> bytes:
    """Encode for the socket.

    Raises:
        ValueError: If the header or the frame is over its bound; the sender's mistake.
    """
    header = json.dumps(dict(frame.header), separators=(",", ":")).encode()
    total = _LENGTH.size + len(header) + len(frame.payload)
    if len(header) > HEADER_MAX_BYTES or total > FRAME_MAX_BYTES:
        raise ValueError(f"a speech frame has {len(header)} header bytes, {total} in all")
    return _PREFIX.pack(total, len(header)) + header + frame.payload


class FrameReader:
    """Turns the bytes of a stream into frames, however they are cut up.

    After a ``ProtocolError`` the stream has lost its place: close the connection.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, received: bytes) -> list[SpeechFrame]:
        """Return the frames that ``received`` completes.

        Raises:
            ProtocolError: If a length is out of bounds or a header is not a JSON object.
        """
        self._buffer += received
        frames: list[SpeechFrame] = []
        while (frame := self._take()) is not None:
            frames.append(frame)
        return frames

    def _take(self) -> SpeechFrame | None:
        if len(self._buffer) < _PREFIX.size:
            return None
        total, header_length = _PREFIX.unpack_from(self._buffer)
        if total > FRAME_MAX_BYTES:
            raise ProtocolError(f"a speech frame claims {total} bytes")
        if header_length > min(HEADER_MAX_BYTES, total - _LENGTH.size):
            raise ProtocolError(f"a speech frame claims a header of {header_length} bytes")
        end = _LENGTH.size + total
        if len(self._buffer) < end:
            return None
        payload_start = _PREFIX.size + header_length
        header = _parse_header(bytes(self._buffer[_PREFIX.size : payload_start]))
        payload = bytes(self._buffer[payload_start:end])
        del self._buffer[:end]
        return SpeechFrame(header, payload)


def _parse_header(encoded: bytes) -> dict[str, Any]:
    try:
        header = json.loads(encoded)
    except (ValueError, RecursionError) as exc:
        raise ProtocolError("a speech frame's header is not JSON") from exc
    if not isinstance(header, dict):
        raise ProtocolError("a speech frame's header is not an object")
    return header
