"""STUN messages as values.

Whatever does not follow the RFC to the letter is refused; nothing is guessed. What stands behind a
message's integrity is not protected by it and is left out, as the RFC demands.

     0                   1                   2                   3
    |0 0| method and class, mixed   | length of the attributes      |
    | magic cookie 0x2112A442                                       |
    | transaction id, 12 bytes ...                                  |
    | attributes, each: type, length, value, padding to 4 bytes ... |

Source: RFC 8489, sections 5 (header), 14 (attributes), 14.7 (fingerprint), 14.8 (error code).
"""

import enum
import struct
import zlib
from dataclasses import dataclass

from talkbutton.errors import ProtocolError
from talkbutton.protocols.stun.attributes import Attribute

__all__ = [
    "HEADER_BYTES",
    "MAGIC_COOKIE",
    "TRANSACTION_ID_BYTES",
    "MessageClass",
    "Method",
    "StunMessage",
    "encode_message",
    "error_code",
    "parse_message",
]

MAGIC_COOKIE = 0x2112A442
TRANSACTION_ID_BYTES = 12
HEADER_BYTES = 20

_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_METHOD_MAX = 0xFFF
_LENGTH_MAX_BYTES = 0xFFFC
_FINGERPRINT_MASK = 0x5354554E
_FINGERPRINT_BYTES = 4
_INTEGRITY_BYTES = 20
_BEHIND_INTEGRITY = frozenset({Attribute.MESSAGE_INTEGRITY_SHA256, Attribute.FINGERPRINT})


class MessageClass(enum.IntEnum):
    """What a message is. Source: RFC 8489, section 5."""

    REQUEST = 0b00
    INDICATION = 0b01
    SUCCESS = 0b10
    ERROR = 0b11


class Method(enum.IntEnum):
    """What a message is about. Source: RFC 8489, section 18.2; RFC 8656, section 17."""

    BINDING = 0x001
    ALLOCATE = 0x003
    REFRESH = 0x004
    CREATE_PERMISSION = 0x008
    CHANNEL_BIND = 0x009
    CONNECT = 0x00A


@dataclass(frozen=True, slots=True)
class StunMessage:
    """One STUN message.

    Attributes:
        method: 12 bits, such as ``Method.ALLOCATE``.
        message_class: Request, indication, success or error.
        transaction_id: 12 bytes that an answer repeats.
        attributes: Type and value of each attribute, in order, fingerprint left out.
    """

    method: int
    message_class: MessageClass
    transaction_id: bytes
    attributes: tuple[tuple[int, bytes], ...] = ()

    def get(self, attribute: int) -> bytes | None:
        """Return the value of the first attribute of that type, which is the one that counts."""
        return next((value for kind, value in self.attributes if kind == attribute), None)


def parse_message(packet: bytes) -> StunMessage:
    """Return the message in a packet of any length.

    Raises:
        ProtocolError: If it is not a STUN message, its lengths do not add up, its integrity has
            the wrong length, or its fingerprint is wrong or not the last attribute.
    """
    if len(packet) < HEADER_BYTES:
        raise ProtocolError(f"a STUN message has {len(packet)} bytes, less than its header")
    message_type, length, cookie, transaction_id = _HEADER.unpack_from(packet)
    if message_type >> 14 or cookie != MAGIC_COOKIE:
        raise ProtocolError("a packet is not a STUN message")
    if length % 4 or HEADER_BYTES + length != len(packet):
        raise ProtocolError(f"a STUN message of {len(packet)} bytes claims {length} of attributes")
    method = message_type & 0xF | message_type >> 1 & 0x70 | message_type >> 2 & 0xF80
    message_class = MessageClass(message_type >> 7 & 2 | message_type >> 4 & 1)
    return StunMessage(method, message_class, transaction_id, _parse_attributes(packet))


def encode_message(message: StunMessage) -> bytes:
    """Return the message as it goes on the wire, without a fingerprint.

    Raises:
        ValueError: If a field does not fit its place.
    """
    if not 0 <= message.method <= _METHOD_MAX:
        raise ValueError(f"method {message.method} does not fit 12 bits")
    if len(message.transaction_id) != TRANSACTION_ID_BYTES:
        raise ValueError(f"a transaction id has {TRANSACTION_ID_BYTES} bytes")
    body = b"".join(_encode_attribute(kind, value) for kind, value in message.attributes)
    if len(body) > _LENGTH_MAX_BYTES:
        raise ValueError(f"{len(body)} bytes of attributes do not fit a STUN message")
    method, kind = message.method, message.message_class
    spread = method & 0xF | (method & 0x70) << 1 | (method & 0xF80) << 2
    message_type = spread | (kind & 2) << 7 | (kind & 1) << 4
    return _HEADER.pack(message_type, len(body), MAGIC_COOKIE, message.transaction_id) + body


def error_code(message: StunMessage) -> int | None:
    """Return the code of an error response, such as 401; None for any other message.

    Raises:
        ProtocolError: If it is an error without a code, or the code is not 300 to 699.
    """
    if message.message_class is not MessageClass.ERROR:
        return None
    value = message.get(Attribute.ERROR_CODE)
    if value is None or len(value) < 4:
        raise ProtocolError("a STUN error says no code")
    hundreds, number = value[2] & 7, value[3]
    if not (3 <= hundreds <= 6 and number <= 99):
        raise ProtocolError(f"a STUN error says code {hundreds}.{number}")
    return hundreds * 100 + number


def _encode_attribute(kind: int, value: bytes) -> bytes:
    if not 0 <= kind <= 0xFFFF or len(value) > 0xFFFF:
        raise ValueError(f"attribute {kind:#x} of {len(value)} bytes does not fit a STUN message")
    return _ATTRIBUTE.pack(kind, len(value)) + value + bytes(-len(value) % 4)


def _parse_attributes(packet: bytes) -> tuple[tuple[int, bytes], ...]:
    found: list[tuple[int, bytes]] = []
    is_protected = True  # no integrity was seen yet
    start = HEADER_BYTES
    while start < len(packet):
        kind, length = _ATTRIBUTE.unpack_from(packet, start)
        end = start + _ATTRIBUTE.size + length
        if end + -length % 4 > len(packet):
            raise ProtocolError(f"attribute {kind:#06x} of {length} bytes ends behind its message")
        value = packet[start + _ATTRIBUTE.size : end]
        if kind == Attribute.FINGERPRINT:
            _check_fingerprint(packet, start, value)
        elif is_protected or kind in _BEHIND_INTEGRITY:
            found.append((kind, value))
        if kind == Attribute.MESSAGE_INTEGRITY:
            if length != _INTEGRITY_BYTES:
                raise ProtocolError(f"a message integrity has {length} bytes")
            is_protected = False
        start = end + -length % 4
    return tuple(found)


def _check_fingerprint(packet: bytes, start: int, value: bytes) -> None:
    if len(value) != _FINGERPRINT_BYTES or start + 8 != len(packet):
        raise ProtocolError("a STUN fingerprint is not the last 8 bytes of its message")
    if int.from_bytes(value) != zlib.crc32(packet[:start]) ^ _FINGERPRINT_MASK:
        raise ProtocolError("a STUN fingerprint is wrong")
