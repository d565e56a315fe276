from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.protocols.forwarded import (
    FORWARDED,
    X_FORWARDED_FOR,
    client_address,
    plain_address,
)

pytestmark = pytest.mark.core

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
PROXY = "10.0.0.1"


def x_forwarded_for(*values: str, peer: str = PROXY) -> str:
    return client_address(peer, values, header=X_FORWARDED_FOR, trusted=TRUSTED)


def forwarded(*values: str, peer: str = PROXY) -> str:
    return client_address(peer, values, header=FORWARDED, trusted=TRUSTED)


def test_nobody_else_is_believed() -> None:
    assert x_forwarded_for("198.51.100.9", peer="203.0.113.5") == "203.0.113.5"
    assert forwarded("for=198.51.100.9", peer="203.0.113.5") == "203.0.113.5"
    assert client_address(PROXY, ["1.2.3.4"], header=X_FORWARDED_FOR, trusted=()) == PROXY


@pytest.mark.parametrize(
    ("values", "client"),
    [
        ((), PROXY),
        (("198.51.100.9",), "198.51.100.9"),
        (("198.51.100.9:4711",), "198.51.100.9"),
        (("2001:DB8::0:7",), "2001:db8::7"),
        (("[2001:db8::7]:4711",), "2001:db8::7"),
        (("::ffff:198.51.100.9",), "198.51.100.9"),
        (("6.6.6.6, 198.51.100.9",), "198.51.100.9"),
        (("6.6.6.6", "198.51.100.9"), "198.51.100.9"),
        (("6.6.6.6, 198.51.100.9, 10.0.0.2,10.9.9.9",), "198.51.100.9"),
        (("6.6.6.6, 198.51.100.9", "10.0.0.2"), "198.51.100.9"),
        (("garbage, <script>, 198.51.100.9",), "198.51.100.9"),
        (("10.0.0.3, 10.0.0.2",), "10.0.0.3"),
        # From here on the list cannot be read where it matters: the peer.
        (("198.51.100.9,",), PROXY),
        (("",), PROXY),
        (("198.51.100.9, unknown",), PROXY),
        (("198.51.100.9, garbage",), PROXY),
        (("198.51.100.999",), PROXY),
        (("198.51.100.9 10.0.0.2",), PROXY),
        (("fe80::1%eth0",), PROXY),
        (("6.6.6.6, garbage, 10.0.0.2",), PROXY),
        (("6.6.6.6" + ", 10.0.0.2" * 20,), PROXY),
        (("6.6.6.6," + " " * 2_048 + "198.51.100.9",), PROXY),
    ],
)
def test_x_forwarded_for(values: tuple[str, ...], client: str) -> None:
    assert x_forwarded_for(*values) == client


@pytest.mark.parametrize(
    ("values", "client"),
    [
        (("for=198.51.100.9",), "198.51.100.9"),
        (('For="198.51.100.9:4711"',), "198.51.100.9"),
        (('for="[2001:db8:cafe::17]:4711"',), "2001:db8:cafe::17"),
        (("for=198.51.100.9;proto=https;by=203.0.113.43",), "198.51.100.9"),
        (('for=198.51.100.9;host="shop.example:443"',), "198.51.100.9"),
        (("for=6.6.6.6, for=198.51.100.9 , for=10.0.0.2",), "198.51.100.9"),
        (("for=6.6.6.6", "for=198.51.100.9"), "198.51.100.9"),
        (('for="6.6.6.6, for=198.51.100.9',), "198.51.100.9"),
        (('for=6.6.6.6;x=", for=198.51.100.9',), "198.51.100.9"),
        # A quote of the client's that tries to swallow what the proxy appends.
        (('for=6.6.6.6;x=", for=198.51.100.9;host=";y=""',), PROXY),
        (("for=6.6.6.6, for=unknown",), PROXY),
        (("for=6.6.6.6, for=_hidden",), PROXY),
        (("for=6.6.6.6, proto=https",), PROXY),
        (("for=6.6.6.6;for=198.51.100.9",), PROXY),
        (("for=2001:db8::7",), PROXY),
        (('for="2001:db8::7"',), "2001:db8::7"),
        (("for = 198.51.100.9",), PROXY),
        (('for="198.51.100.9\\"',), PROXY),
        (("198.51.100.9",), PROXY),
        (("",), PROXY),
    ],
)
def test_forwarded(values: tuple[str, ...], client: str) -> None:
    assert forwarded(*values) == client


def test_a_peer_is_written_in_its_shortest_form() -> None:
    assert plain_address("::ffff:192.0.2.1") == "192.0.2.1"
    assert plain_address("fe80::1%eth0") == "fe80::1"
    assert x_forwarded_for("198.51.100.9", peer="::ffff:10.0.0.1") == "198.51.100.9"


ADDRESSES = st.ip_addresses().map(str)


@given(forged=st.text(alphabet="for=\"',;[]:. 0123456789abcdef%é\\", max_size=60), real=ADDRESSES)
def test_what_the_client_wrote_never_becomes_its_address(forged: str, real: str) -> None:
    shown = plain_address(real)
    quoted = f'"[{real}]"' if ":" in real else real
    for found in (
        x_forwarded_for(f"{forged}, {real}"),
        x_forwarded_for(forged, real),
        forwarded(f"{forged}, for={quoted}"),
        forwarded(forged, f"for={quoted};proto=https"),
    ):
        if not any(ip_address(shown) in network for network in TRUSTED):
            assert found == shown


@given(st.lists(st.text(max_size=200), max_size=5), ADDRESSES)
def test_any_headers_give_an_address(values: list[str], peer: str) -> None:
    for found in (x_forwarded_for(*values, peer=peer), forwarded(*values, peer=peer)):
        assert str(ip_address(found)) == found
