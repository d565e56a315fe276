"""RTP packets as values.

Whatever does not follow the RFC to the letter is refused: a bridge that guesses where the
payload starts plays noise.

Source: RFC 3550, sections 5.1 (fixed header) and 5.3.1 (header extension).
"""

import struct
from dataclasses import dataclass

from talkbutton.errors import ProtocolError

__all__ = ["RtpExtension", "RtpPacket", "encode_packet", "parse_packet"]

_VERSION = 2
_FIXED = struct.Struct("!BBHII")
_EXTENSION = struct.Struct("!HH")
_WORD_BYTES = 4
_CSRC_MAX = 15
_PADDING_BIT = 0x20
_EXTENSION_BIT = 0x10
_MARKER_BIT = 0x80


@dataclass(frozen=True, slots=True)
class RtpExtension:
    """A header extension.

    Attributes:
        profile: Its 16-bit identifier, defined by the profile in use.
        content: Its words, a multiple of 4 bytes.
    """

    profile: int
    content: bytes


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One RTP packet.

    Attributes:
        payload_type: 0 to 127; 0 is PCMU, 9 is G722.
        sequence_number: 16 bits, as on the wire.
        timestamp: 32 bits, in ticks of the payload type's clock.
        ssrc: Names the sender's stream.
        payload: The audio.
        marker: First packet after a pause in sending (RFC 3551, section 4.1).
        csrcs: Contributing sources, at most 15.
        extension: The header extension; None without one.
        padding_bytes: Padding after the payload, its count octet included; 0 without.
    """

    payload_type: int
    sequence_number: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False
    csrcs: tuple[int, ...] = ()
    extension: RtpExtension | None = None
    padding_bytes: int = 0


def parse_packet(datagram: bytes) -> RtpPacket:
    """Return the packet in a datagram of any length.

    Raises:
        ProtocolError: If it is not version 2, ends inside its header, or pads more than it holds.
    """
    if len(datagram) < _FIXED.size:
        raise ProtocolError(f"an RTP packet has {len(datagram)} bytes, less than its header")
    flags, second, sequence_number, timestamp, ssrc = _FIXED.unpack_from(datagram)
    if flags >> 6 != _VERSION:
        raise ProtocolError(f"an RTP packet has version {flags >> 6}")
    start = _FIXED.size
    end = len(datagram)
    csrcs: tuple[int, ...] = ()
    extension: RtpExtension | None = None
    padding_bytes = 0
    if flags & 0x3F:
        csrcs, start = _parse_csrcs(datagram, flags & _CSRC_MAX)
        if flags & _EXTENSION_BIT:
            extension, start = _parse_extension(datagram, start)
        if flags & _PADDING_BIT:
            padding_bytes = _parse_padding(datagram, start)
            end -= padding_bytes
    return RtpPacket(
        payload_type=second & 0x7F,
        sequence_number=sequence_number,
        timestamp=timestamp,
        ssrc=ssrc,
        payload=datagram[start:end],
        marker=second >= _MARKER_BIT,
        csrcs=csrcs,
        extension=extension,
        padding_bytes=padding_bytes,
    )


def encode_packet(packet: RtpPacket) -> bytes:
    """Return the packet as it goes on the wire.

    Raises:
        ValueError: If a field does not fit its place in the header.
    """
    flags = _VERSION << 6
    parts = [packet.payload]
    if packet.padding_bytes:
        flags |= _PADDING_BIT
        parts.append(_encode_padding(packet.padding_bytes))
    if packet.extension is not None:
        flags |= _EXTENSION_BIT
        parts.insert(0, _encode_extension(packet.extension))
    if not 0 <= packet.payload_type < _MARKER_BIT:
        raise ValueError(f"payload type {packet.payload_type} does not fit 7 bits")
    if len(packet.csrcs) > _CSRC_MAX:
        raise ValueError(f"{len(packet.csrcs)} contributing sources, at most {_CSRC_MAX} fit")
    try:
        header = _FIXED.pack(
            flags | len(packet.csrcs),
            packet.payload_type | (_MARKER_BIT if packet.marker else 0),
            packet.sequence_number,
            packet.timestamp,
            packet.ssrc,
        ) + struct.pack(f"!{len(packet.csrcs)}I", *packet.csrcs)
    except struct.error as exc:
        raise ValueError(f"an RTP header field is out of range: {exc}") from exc
    return b"".join([header, *parts])


def _parse_csrcs(datagram: bytes, count: int) -> tuple[tuple[int, ...], int]:
    end = _FIXED.size + _WORD_BYTES * count
    if len(datagram) < end:
        raise ProtocolError(f"an RTP packet ends inside its {count} contributing sources")
    return struct.unpack_from(f"!{count}I", datagram, _FIXED.size), end


def _parse_extension(datagram: bytes, start: int) -> tuple[RtpExtension, int]:
    content_start = start + _EXTENSION.size
    if len(datagram) < content_start:
        raise ProtocolError("an RTP packet ends inside its extension header")
    profile, words = _EXTENSION.unpack_from(datagram, start)
    end = content_start + _WORD_BYTES * words
    if len(datagram) < end:
        raise ProtocolError(f"an RTP packet ends inside its extension of {words} words")
    return RtpExtension(profile, datagram[content_start:end]), end


def _parse_padding(datagram: bytes, start: int) -> int:
    padding_bytes = datagram[-1] if len(datagram) > start else 0
    if not 1 <= padding_bytes <= len(datagram) - start:
        raise ProtocolError(f"an RTP packet claims {padding_bytes} bytes of padding")
    return padding_bytes


def _encode_padding(padding_bytes: int) -> bytes:
    if not 1 <= padding_bytes <= 0xFF:
        raise ValueError(f"{padding_bytes} bytes of padding do not fit one octet")
    return bytes(padding_bytes - 1) + bytes([padding_bytes])


def _encode_extension(extension: RtpExtension) -> bytes:
    words, rest = divmod(len(extension.content), _WORD_BYTES)
    if rest or words > 0xFFFF or not 0 <= extension.profile <= 0xFFFF:
        raise ValueError("an RTP extension is up to 65,535 words under a 16-bit profile")
    return _EXTENSION.pack(extension.profile, words) + extension.content
