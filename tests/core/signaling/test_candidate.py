import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.errors import ProtocolError
from talkbutton.protocols.signaling import IceCandidate, parse_candidate

pytestmark = pytest.mark.core

CHROMIUM = (
    "candidate:842163049 1 udp 1677729535 198.51.100.7 46154 typ srflx raddr 0.0.0.0 rport 0 "
    "generation 0 ufrag EEtu network-id 3 network-cost 10"
)
FIREFOX = "candidate:0 1 UDP 2122252543 5c3a9f0e-2f7d-4c9e-9d0c-6f1d6f0d5a11.local 60132 typ host"


def test_chromium() -> None:
    found = parse_candidate(CHROMIUM)
    assert found == IceCandidate("842163049", 1, "udp", 1677729535, "198.51.100.7", 46154, "srflx")
    assert found.text == "candidate:842163049 1 udp 1677729535 198.51.100.7 46154 typ srflx"
    assert found.is_for_gateway


def test_firefox_hides_its_address_in_a_name() -> None:
    found = parse_candidate(FIREFOX)
    assert (found.type, found.transport) == ("host", "udp")
    assert found.address.endswith(".local")
    assert not found.is_for_gateway


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (
            "candidate:2 1 TCP 2105524479 192.0.2.5 9 typ host tcptype active",
            "candidate:2 1 tcp 2105524479 192.0.2.5 9 typ host",
        ),
        (
            "candidate:7 01 udp 0041819902 2001:0db8::0007 50000 typ relay raddr :: rport 9",
            "candidate:7 1 udp 41819902 2001:db8::7 50000 typ relay",
        ),
        (
            "Candidate:7 1 UDP 4 192.0.2.5 5 TYP SRFLX x-evil 1;rm ufrag abcd",
            "candidate:7 1 udp 4 192.0.2.5 5 typ srflx",
        ),
    ],
)
def test_is_written_anew_from_its_fields(text: str, written: str) -> None:
    assert parse_candidate(text).text == written
    assert parse_candidate(written).text == written


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "0.0.0.0",
        "::",
        "169.254.169.254",
        "fe80::1",
        "224.0.0.251",
        "ff02::fb",
        "255.255.255.255",
        "a5c3.local",
    ],
)
def test_the_gateway_is_not_sent_knocking_at(address: str) -> None:
    assert not parse_candidate(f"candidate:1 1 udp 1 {address} 5060 typ host").is_for_gateway


@pytest.mark.parametrize(
    "text",
    [
        "candidate:1 2 udp 1 192.0.2.5 5060 typ host",
        "candidate:1 1 tcp 1 192.0.2.5 5060 typ host",
        "candidate:1 1 udp 1 192.0.2.5 0 typ host",
    ],
)
def test_the_gateway_has_no_use_for(text: str) -> None:
    assert not parse_candidate(text).is_for_gateway


@pytest.mark.parametrize("address", ["192.168.1.5", "10.0.0.9", "fd00::2", "2001:db8::7"])
def test_the_gateway_may_check(address: str) -> None:
    assert parse_candidate(f"candidate:1 1 udp 1 {address} 5060 typ host").is_for_gateway


@pytest.mark.parametrize(
    "text",
    [
        "",
        "candidate:",
        "a=" + CHROMIUM,
        CHROMIUM + "\r\na=candidate:x",
        CHROMIUM.replace("udp", "sctp"),
        CHROMIUM.replace("46154", "65536"),
        CHROMIUM.replace("1677729535", "4294967296"),
        CHROMIUM.replace(" 1 udp", " 0 udp"),
        CHROMIUM.replace(" 1 udp", " 257 udp"),
        CHROMIUM.replace("198.51.100.7", "198.51.100.700"),
        CHROMIUM.replace("198.51.100.7", "localhost"),
        CHROMIUM.replace("198.51.100.7", "a..local"),
        CHROMIUM.replace("198.51.100.7", "a.b.local"),
        CHROMIUM.replace("198.51.100.7", "attacker.example"),
        CHROMIUM.replace("198.51.100.7", "1:2.local"),
        CHROMIUM.replace("srflx", "turbo"),
        CHROMIUM + " dangling",
        CHROMIUM + " é ü",
        CHROMIUM + " x" * 300,
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse_candidate(text)


@given(st.text(max_size=600) | st.builds(lambda more: CHROMIUM + more, st.text(max_size=40)))
def test_any_text_is_a_candidate_or_the_documented_error(text: str) -> None:
    try:
        found = parse_candidate(text)
    except ProtocolError:
        return
    assert parse_candidate(found.text) == found
    assert found.text.isascii()
    assert found.text.isprintable()
    assert len(found.text.split(" ")) == 8
