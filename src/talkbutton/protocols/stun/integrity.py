"""Long-term credentials: who signed a message.

Source: RFC 8489, sections 9.2.2 (key), 14.5 (MESSAGE-INTEGRITY).
"""

import hashlib
import hmac
import struct

from talkbutton.protocols.stun.attributes import Attribute
from talkbutton.protocols.stun.message import (
    HEADER_BYTES,
    StunMessage,
    encode_message,
)

__all__ = ["is_signed_with", "long_term_key", "sign"]

_INTEGRITY_BYTES = 24
"""Of the whole attribute."""


def long_term_key(username: str, realm: str, password: str) -> bytes:
    """Return the key that a user's messages are signed with; 16 bytes.

    The texts are taken as they are: coturn's are ASCII, which SASLprep leaves alone.
    """
    text = f"{username}:{realm}:{password}".encode()
    return hashlib.md5(text, usedforsecurity=False).digest()


def sign(message: StunMessage, key: bytes) -> bytes:
    """Return ``message`` as it goes on the wire, with its integrity as the last attribute.

    Raises:
        ValueError: If a field does not fit its place.
    """
    placeholder = (int(Attribute.MESSAGE_INTEGRITY), bytes(20))
    unsigned = encode_message(
        StunMessage(
            message.method,
            message.message_class,
            message.transaction_id,
            (*message.attributes, placeholder),
        )
    )
    return unsigned[:-20] + _digest(unsigned[:-_INTEGRITY_BYTES], key)


def is_signed_with(packet: bytes, key: bytes) -> bool:
    """Return whether a packet that ``parse_message`` accepts is signed with ``key``.

    False as well where it is not signed at all.
    """
    start = HEADER_BYTES
    while start < len(packet):
        kind, length = struct.unpack_from("!HH", packet, start)
        if kind == Attribute.MESSAGE_INTEGRITY:
            # The header's length counts up to the end of the integrity, whatever follows it.
            length_then = struct.pack("!H", start + _INTEGRITY_BYTES - HEADER_BYTES)
            signed = packet[:2] + length_then + packet[4:start]
            return hmac.compare_digest(packet[start + 4 : start + 24], _digest(signed, key))
        start += 4 + length + -length % 4
    return False


def _digest(signed: bytes, key: bytes) -> bytes:
    return hmac.new(key, signed, hashlib.sha1).digest()
