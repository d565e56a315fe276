"""STUN and TURN messages, as a client says and hears them."""

from talkbutton.protocols.stun.addresses import TransportAddress, decode_address, encode_address
from talkbutton.protocols.stun.attributes import Attribute
from talkbutton.protocols.stun.integrity import is_signed_with, long_term_key, sign
from talkbutton.protocols.stun.message import (
    TRANSACTION_ID_BYTES,
    MessageClass,
    Method,
    StunMessage,
    encode_message,
    error_code,
    parse_message,
)

__all__ = [
    "TRANSACTION_ID_BYTES",
    "Attribute",
    "MessageClass",
    "Method",
    "StunMessage",
    "TransportAddress",
    "decode_address",
    "encode_address",
    "encode_message",
    "error_code",
    "is_signed_with",
    "long_term_key",
    "parse_message",
    "sign",
]
