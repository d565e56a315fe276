"""One ICE connectivity check. Source: RFC 8445, section 7.1; STUN RFC 8489."""

import hashlib
import hmac
import os
import socket
import struct
import zlib

__all__ = ["binding_request", "binding_success"]

_COOKIE = 0x2112A442
_USERNAME, _INTEGRITY, _PRIORITY, _USE_CANDIDATE = 0x0006, 0x0008, 0x0024, 0x0025
_XOR_MAPPED_ADDRESS = 0x0020
_REQUEST, _SUCCESS = 0x0001, 0x0101
_FINGERPRINT, _ICE_CONTROLLING = 0x8028, 0x802A
_FINGERPRINT_XOR = 0x5354554E


def binding_request(username: str, password: str) -> bytes:
    """Return a Binding request of the controlling side that nominates its pair."""
    attributes = (
        _attribute(_USERNAME, username.encode())
        + _attribute(_PRIORITY, struct.pack("!I", 0x6E7F1EFF))
        + _attribute(_ICE_CONTROLLING, os.urandom(8))
        + _attribute(_USE_CANDIDATE, b"")
    )
    return _sealed(_REQUEST, os.urandom(12), attributes, password)


def _sealed(kind: int, transaction: bytes, attributes: bytes, password: str) -> bytes:
    unsigned = _message(kind, transaction, attributes, more=24)
    attributes += _attribute(
        _INTEGRITY, hmac.new(password.encode(), unsigned, hashlib.sha1).digest()
    )
    crc = zlib.crc32(_message(kind, transaction, attributes, more=8)) ^ _FINGERPRINT_XOR
    attributes += _attribute(_FINGERPRINT, struct.pack("!I", crc))
    return _message(kind, transaction, attributes)


def _message(kind: int, transaction: bytes, attributes: bytes, *, more: int = 0) -> bytes:
    return struct.pack("!HHI", kind, len(attributes) + more, _COOKIE) + transaction + attributes


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def binding_success(request: bytes, address: tuple[str, int], password: str) -> bytes:
    """Return the answer to a check that came from ``address``."""
    transaction = request[8:20]
    host = int.from_bytes(socket.inet_aton(address[0])) ^ _COOKIE
    port = address[1] ^ (_COOKIE >> 16)
    attributes = _attribute(_XOR_MAPPED_ADDRESS, struct.pack("!BBHI", 0, 1, port, host))
    return _sealed(_SUCCESS, transaction, attributes, password)
