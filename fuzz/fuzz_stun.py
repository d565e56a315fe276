"""Feeds arbitrary packets to the STUN parser and to what reads its attributes.

Allowed outcomes: a value, or ``ProtocolError``. Run it by itself for a number of seconds:

    python fuzz/fuzz_stun.py 60
"""

import random
import struct
import zlib

from fuzzing import fuzz

from talkbutton.errors import ProtocolError
from talkbutton.protocols.stun import (
    Attribute,
    MessageClass,
    Method,
    StunMessage,
    decode_address,
    encode_message,
    error_code,
    is_signed_with,
    parse_message,
    sign,
)

_KEY = bytes(16)
_ATTRIBUTES = (
    (Attribute.ERROR_CODE, b"\0\0\x04\x01Unauthorized"),
    (Attribute.REALM, b"talkbutton"),
    (Attribute.NONCE, b"f//499k954d6OL34oL9FSTvy64sA"),
    (Attribute.XOR_RELAYED_ADDRESS, b"\0\x01\xa1\x47\xe1\x12\xa6\x43"),
    (Attribute.XOR_PEER_ADDRESS, b"\0\x02" + bytes(18)),
    (Attribute.LIFETIME, b"\0\0\x02\x58"),
)
SEEDS = tuple(
    sign(StunMessage(Method.ALLOCATE, MessageClass.ERROR, bytes(12), ((int(kind), value),)), _KEY)
    for kind, value in _ATTRIBUTES
)
_BYTES = b"\x00\x01\x04\x08\x21\x80\xff"


def check_one_input(packet: bytes) -> None:
    """Parse the packet and read all that is in it."""
    try:
        message = parse_message(packet)
    except ProtocolError:
        return
    assert parse_message(encode_message(message)) == message
    is_signed_with(packet, _KEY)
    for read in (_read_error, _read_addresses):
        try:
            read(message)
        except ProtocolError:
            continue


def _read_error(message: StunMessage) -> None:
    code = error_code(message)
    assert code is None or 300 <= code <= 699


def _read_addresses(message: StunMessage) -> None:
    for _, value in message.attributes:
        decode_address(value, transaction_id=message.transaction_id)


def _mutate(source: random.Random) -> bytes:
    if source.random() < 0.1:
        return source.randbytes(source.randrange(80))
    chosen = tuple((int(k), v) for k, v in source.choices(_ATTRIBUTES, k=source.randrange(5)))
    message = StunMessage(
        source.choice(list(Method)), source.choice(list(MessageClass)), source.randbytes(12), chosen
    )
    packet = bytearray(sign(message, _KEY) if source.random() < 0.5 else encode_message(message))
    for _ in range(source.choice([0, 1, 1, 3])):
        packet[source.randrange(len(packet))] = source.choice(_BYTES)
    packet += source.randbytes(source.choice([0, 0, 0, 4, 7]))
    if source.random() < 0.5:
        struct.pack_into("!H", packet, 2, (len(packet) - 20) & 0xFFFF)
    if source.random() < 0.3:
        struct.pack_into("!H", packet, 2, (len(packet) - 12) & 0xFFFF)
        checksum = zlib.crc32(packet) ^ 0x5354554E
        packet += struct.pack("!HHI", Attribute.FINGERPRINT, 4, checksum)
    return bytes(packet)


if __name__ == "__main__":
    fuzz(check_one_input, _mutate)
