import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.rules.admission.addresses import (
    AddressKeys,
    address_keys,
    address_prefix,
    wider_bucket,
)

pytestmark = pytest.mark.core


@pytest.mark.parametrize(
    ("address", "keys"),
    [
        ("192.0.2.7", AddressKeys("192.0.2.7")),
        ("::ffff:192.0.2.7", AddressKeys("192.0.2.7")),
        ("64:ff9b::192.0.2.7", AddressKeys("192.0.2.7")),
        (
            "2001:DB8:1:2:0:0:0:9",
            AddressKeys("2001:db8:1:2::9", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ),
        ("fe80::1%eth0", AddressKeys("fe80::1", "fe80::/64", "fe80::/48")),
        ("::1", AddressKeys("::1", "::/64", "::/48")),
    ],
)
def test_what_an_address_is_counted_under(address: str, keys: AddressKeys) -> None:
    assert address_keys(address) == keys


def test_a_visitor_is_an_ipv4_address_or_an_ipv6_subnet() -> None:
    assert address_keys("192.0.2.7").bucket == "192.0.2.7"
    assert address_keys("2001:db8:1:2::9").bucket == "2001:db8:1:2::/64"


@pytest.mark.parametrize("address", ["", "shop.example", "192.0.2", "192.0.2.7:80", "unknown"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        address_keys(address)


@given(st.ip_addresses(v=6))
def test_the_wider_bucket_is_the_same_from_the_address_and_from_the_bucket(address: object) -> None:
    keys = address_keys(str(address))
    assert wider_bucket(keys.bucket) == keys.v6_48


@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("127.0.0.1", "127.0.0.0/24"),
        ("203.0.113.255", "203.0.113.0/24"),
        ("::ffff:203.0.113.9", "203.0.113.0/24"),
        ("2001:db8:1:2ff::9", "2001:db8:1:200::/56"),
        ("fe80::1%eth0", "fe80::/56"),
    ],
)
def test_address_prefix(address: str, prefix: str) -> None:
    assert address_prefix(address, v4_bits=24, v6_bits=56) == prefix
