"""Transport addresses in STUN's masked form.

Source: RFC 8489, section 14.2 (XOR-MAPPED-ADDRESS).
"""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from talkbutton.errors import ProtocolError
from talkbutton.protocols.stun.message import MAGIC_COOKIE

__all__ = ["TransportAddress", "decode_address", "encode_address"]

_HEAD = struct.Struct("!BBH")
_FAMILY_V4, _FAMILY_V6 = 1, 2


@dataclass(frozen=True, slots=True)
class TransportAddress:
    """IP address and port."""

    host: IPv4Address | IPv6Address
    port: int


def encode_address(address: TransportAddress, *, transaction_id: bytes) -> bytes:
    """Return the value of an XOR address attribute.

    Raises:
        ValueError: If the port does not fit 16 bits.
    """
    if not 0 <= address.port <= 0xFFFF:
        raise ValueError(f"port {address.port} does not fit 16 bits")
    family = _FAMILY_V4 if address.host.version == 4 else _FAMILY_V6
    head = _HEAD.pack(0, family, address.port ^ MAGIC_COOKIE >> 16)
    return head + _masked(address.host.packed, transaction_id)


def decode_address(value: bytes, *, transaction_id: bytes) -> TransportAddress:
    """Return the address in the value of an XOR address attribute.

    Raises:
        ProtocolError: If its family is unknown or its length is not that of its family.
    """
    sizes = {_FAMILY_V4: 8, _FAMILY_V6: 20}
    if len(value) < _HEAD.size or sizes.get(value[1]) != len(value):
        raise ProtocolError(f"a STUN address of {len(value)} bytes is none")
    _, _, port = _HEAD.unpack_from(value)
    host = ip_address(_masked(value[_HEAD.size :], transaction_id))
    return TransportAddress(host, port ^ MAGIC_COOKIE >> 16)


def _masked(packed: bytes, transaction_id: bytes) -> bytes:
    mask = struct.pack("!I", MAGIC_COOKIE) + transaction_id
    return bytes(one ^ other for one, other in zip(packed, mask, strict=False))
