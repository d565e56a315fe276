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
    assert parse_candidate(CHROMIUM) == IceCandidate(CHROMIUM, "srflx", "udp", "198.51.100.7")


def test_firefox_hides_its_address_in_a_name() -> None:
    found = parse_candidate(FIREFOX)
    assert (found.type, found.transport) == ("host", "udp")
    assert found.address.endswith(".local")


@pytest.mark.parametrize(
    "text",
    [
        "candidate:2 1 TCP 2105524479 192.0.2.5 9 typ host tcptype active",
        "candidate:7 1 udp 41819902 2001:db8::7 50000 typ relay raddr :: rport 9",
    ],
)
def test_other_good_ones(text: str) -> None:
    assert parse_candidate(text).text == text


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
    assert found.text == text
    assert text.isascii()
    assert text.isprintable()
