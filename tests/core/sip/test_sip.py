from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.errors import ProtocolError
from talkbutton.protocols.sip import SipRequest, authorize, encode_request, parse_answer

pytestmark = pytest.mark.core

INVITE = SipRequest(
    "INVITE",
    "sip:7000@127.0.0.1:5060",
    user="talkbutton",
    local="127.0.0.1:40000",
    call_id="c1",
    tag="t1",
    branch="z9hG4bKb1",
    headers={"X-More": "yes"},
    body="v=0\r\n",
)
RINGING = (
    b"SIP/2.0 180 Ringing\r\nv: SIP/2.0/UDP 127.0.0.1:40000;rport=40000;branch=z9hG4bKb1\r\n"
    b"To: <sip:7000@127.0.0.1>;tag=abc\r\nCSeq: 1 INVITE\r\nVia: second\r\n\r\nbody"
)


def test_a_request_is_written_as_the_rfc_wants_it() -> None:
    assert encode_request(INVITE).decode().split("\r\n") == [
        "INVITE sip:7000@127.0.0.1:5060 SIP/2.0",
        "Via: SIP/2.0/UDP 127.0.0.1:40000;rport;branch=z9hG4bKb1",
        "Max-Forwards: 70",
        "From: <sip:talkbutton@127.0.0.1:40000>;tag=t1",
        "To: <sip:7000@127.0.0.1:5060>",
        "Call-ID: c1",
        "CSeq: 1 INVITE",
        "Contact: <sip:talkbutton@127.0.0.1:40000>",
        "X-More: yes",
        "Content-Type: application/sdp",
        "Content-Length: 5",
        "",
        "v=0",
        "",
    ]


def test_an_acknowledgement_is_of_the_same_transaction() -> None:
    ack = encode_request(INVITE.about("ACK", to_tag="abc")).decode()
    assert "To: <sip:7000@127.0.0.1:5060>;tag=abc\r\n" in ack
    assert "branch=z9hG4bKb1\r\n" in ack
    assert "CSeq: 1 ACK\r\n" in ack
    assert "Content-Length: 0\r\n\r\n" in ack


def test_no_field_can_start_another_line() -> None:
    with pytest.raises(ValueError, match="line break"):
        encode_request(replace(INVITE, headers={"X-More": "a\r\nEvil: yes"}))


def test_an_answer_is_read() -> None:
    answer = parse_answer(RINGING)
    assert (answer.status, answer.is_final, answer.to_tag) == (180, False, "abc")
    assert answer.answers(INVITE)
    assert not answer.answers(INVITE.about("CANCEL"))
    assert not answer.answers(replace(INVITE, branch="z9hG4bKother"))


@given(st.binary(max_size=200) | st.text(max_size=80).map(lambda text: RINGING + text.encode()))
def test_bytes_are_refused_or_mean_an_answer(packet: bytes) -> None:
    try:
        answer = parse_answer(packet)
    except ProtocolError:
        return
    assert 100 <= answer.status <= 699
    answer.answers(INVITE)
    assert answer.to_tag is None or answer.to_tag


@pytest.mark.parametrize(
    ("packet", "problem"),
    [
        (b"INVITE sip:a@b SIP/2.0\r\n\r\n", "not a SIP response"),
        (b"SIP/2.0 99 No\r\n\r\n", "not a SIP response"),
        (RINGING.replace(b"To:", b"X-To:"), "lacks to"),
        (RINGING.replace(b"To:", b"no header at all"), "no header"),
        (b"\xff" + RINGING, "not UTF-8"),
        (RINGING + bytes(10_000), "has 10"),
    ],
)
def test_refuses(packet: bytes, problem: str) -> None:
    with pytest.raises(ProtocolError, match=problem):
        parse_answer(packet)


def test_answers_a_challenge_as_the_rfc_does() -> None:
    """Source: RFC 2617, section 3.5."""
    answer = authorize(
        'Digest realm="testrealm@host.com", qop="auth,auth-int", '
        'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"',
        method="GET",
        uri="/dir/index.html",
        user="Mufasa",
        password="Circle Of Life",
        client_nonce="0a4f113b",
    )
    assert 'response="6629fae49393a05397450978507c4ef1"' in answer
    assert 'opaque="5ccc069c403ebaf9f0171e9517f40e41"' in answer


@pytest.mark.parametrize(
    "challenge",
    [
        "",
        'Basic realm="x"',
        'Digest realm="x", qop="auth"',
        'Digest realm="x", nonce="y"',
        'Digest realm="x", nonce="y", qop="auth", algorithm=SHA-256',
    ],
)
def test_answers_no_other_challenge(challenge: str) -> None:
    with pytest.raises(ProtocolError, match="not supported"):
        authorize(challenge, method="A", uri="b", user="c", password="d", client_nonce="e")
