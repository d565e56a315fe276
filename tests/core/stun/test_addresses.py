from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.errors import ProtocolError
from talkbutton.protocols.stun import TransportAddress, decode_address, encode_address

pytestmark = pytest.mark.core

TRANSACTION_ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")


@given(st.ip_addresses(), st.integers(0, 0xFFFF), st.binary(min_size=12, max_size=12))
def test_decode_undoes_encode(host: object, port: int, transaction_id: bytes) -> None:
    address = TransportAddress(ip_address(str(host)), port)
    value = encode_address(address, transaction_id=transaction_id)
    assert decode_address(value, transaction_id=transaction_id) == address


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("0001a147e112a643", "192.0.2.1"),
        ("0002a1470113a9faa5d3f179bc25f4b5bed2b9d9", "2001:db8:1234:5678:11:2233:4455:6677"),
    ],
)
def test_reads_the_samples_of_the_rfc(value: str, host: str) -> None:
    """Source: RFC 5769, sections 2.2 and 2.3."""
    found = decode_address(bytes.fromhex(value), transaction_id=TRANSACTION_ID)
    assert found == TransportAddress(ip_address(host), 32853)


@given(st.binary(max_size=24))
def test_bytes_are_refused_or_mean_an_address(value: bytes) -> None:
    try:
        address = decode_address(value, transaction_id=TRANSACTION_ID)
    except ProtocolError:
        return
    assert encode_address(address, transaction_id=TRANSACTION_ID)[1:] == value[1:]


def test_encodes_no_port_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="16 bits"):
        encode_address(TransportAddress(ip_address("::"), 65_536), transaction_id=bytes(12))
