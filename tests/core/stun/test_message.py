import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.errors import ProtocolError
from talkbutton.protocols.stun import (
    Attribute,
    MessageClass,
    Method,
    StunMessage,
    encode_message,
    error_code,
    is_signed_with,
    long_term_key,
    parse_message,
    sign,
)

pytestmark = pytest.mark.core

SAMPLE = bytes.fromhex(
    "000100602112a44278ad3433c6ad72c029da412e"
    "00060012e3839ee38388e383aae38383e382afe382b90000"  # pragma: allowlist secret
    "0015001c662f2f3439396b3935346436 4f4c33346f4c394653547679363473 41"
    "0014000b6578616d706c652e6f726700"
    "00080014f67024656dd64a3e02b8e0712e85c9a28ca89666".replace(" ", "")  # pragma: allowlist secret
)
"""Source: RFC 5769, section 2.4 (a request with long-term authentication)."""
SAMPLE_KEY = long_term_key("マトリックス", "example.org", "TheMatrIX")

_NOT_SPECIAL = st.integers(0, 0xFFFF).filter(
    lambda kind: kind not in {Attribute.FINGERPRINT, Attribute.MESSAGE_INTEGRITY}
)
messages = st.builds(
    StunMessage,
    method=st.integers(0, 0xFFF),
    message_class=st.sampled_from(MessageClass),
    transaction_id=st.binary(min_size=12, max_size=12),
    attributes=st.lists(st.tuples(_NOT_SPECIAL, st.binary(max_size=50)), max_size=6).map(tuple),
)
keys = st.binary(min_size=16, max_size=16)


def with_fingerprint(packet: bytes) -> bytes:
    longer = packet[:2] + (len(packet) - 12).to_bytes(2) + packet[4:]
    return longer + b"\x80\x28\x00\x04" + (zlib.crc32(longer) ^ 0x5354554E).to_bytes(4)


@given(messages)
def test_parse_undoes_encode(message: StunMessage) -> None:
    assert parse_message(encode_message(message)) == message


@given(
    st.binary(max_size=120)
    | messages.map(encode_message).flatmap(
        lambda packet: st.builds(
            lambda at, byte: packet[:at] + bytes([byte]) + packet[at + 1 :],
            st.integers(0, len(packet) - 1),
            st.integers(0, 255),
        )
    )
)
def test_bytes_are_refused_or_mean_a_message(packet: bytes) -> None:
    try:
        message = parse_message(packet)
        error_code(message)
    except ProtocolError:
        return
    assert parse_message(encode_message(message)) == message


@given(messages, st.data())
def test_a_message_cut_anywhere_is_refused(message: StunMessage, data: st.DataObject) -> None:
    packet = encode_message(message)
    with pytest.raises(ProtocolError):
        parse_message(packet[: data.draw(st.integers(0, len(packet) - 1))])


@given(messages, keys)
def test_a_signed_message_is_known_by_its_key(message: StunMessage, key: bytes) -> None:
    packet = sign(message, key)
    parsed = parse_message(packet)
    assert parsed.attributes[:-1] == message.attributes
    assert is_signed_with(packet, key)
    assert is_signed_with(with_fingerprint(packet), key)
    assert not is_signed_with(packet, key[::-1] + b"!")
    assert not is_signed_with(encode_message(message), key)


@given(messages, keys, st.data())
def test_a_changed_message_is_not_signed(
    message: StunMessage, key: bytes, data: st.DataObject
) -> None:
    packet = bytearray(sign(message, key))
    packet[data.draw(st.integers(0, len(packet) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        parse_message(bytes(packet))
    except ProtocolError:
        return
    assert not is_signed_with(bytes(packet), key)


def test_reads_the_sample_of_the_rfc() -> None:
    message = parse_message(SAMPLE)
    assert (message.method, message.message_class) == (Method.BINDING, MessageClass.REQUEST)
    assert message.get(Attribute.REALM) == b"example.org"
    assert message.get(Attribute.USERNAME) == "マトリックス".encode()
    assert is_signed_with(SAMPLE, SAMPLE_KEY)
    unsigned = StunMessage(
        message.method, message.message_class, message.transaction_id, message.attributes[:-1]
    )
    assert sign(unsigned, SAMPLE_KEY) == SAMPLE


def test_what_stands_behind_the_integrity_is_left_out() -> None:
    longer = SAMPLE + b"\x80\x22\x00\x04evil"
    packet = longer[:2] + (len(longer) - 20).to_bytes(2) + longer[4:]
    assert parse_message(packet).get(Attribute.SOFTWARE) is None
    assert is_signed_with(packet, SAMPLE_KEY)


def test_a_fingerprint_is_checked_and_left_out() -> None:
    packet = with_fingerprint(SAMPLE)
    assert parse_message(packet) == parse_message(SAMPLE)
    with pytest.raises(ProtocolError, match="fingerprint is wrong"):
        parse_message(packet[:-1] + bytes([packet[-1] ^ 1]))
    twice = with_fingerprint(packet)
    with pytest.raises(ProtocolError, match="not the last"):
        parse_message(twice)


@pytest.mark.parametrize(
    ("packet", "problem"),
    [
        (b"", "less than its header"),
        (SAMPLE[:19], "less than its header"),
        (b"\x40" + SAMPLE[1:], "not a STUN message"),
        (SAMPLE[:4] + b"\0\0\0\0" + SAMPLE[8:], "not a STUN message"),
        (SAMPLE + b"\0", "claims 96"),
        (SAMPLE[:2] + b"\0\x61" + SAMPLE[4:] + b"\0", "claims 97"),
        (SAMPLE[:22] + b"\xff\xff" + SAMPLE[24:], "ends behind"),
        (bytes.fromhex("000100082112a442") + bytes(12) + b"\0\x08\0\x04abcd", "has 4 bytes"),
    ],
)
def test_refuses(packet: bytes, problem: str) -> None:
    with pytest.raises(ProtocolError, match=problem):
        parse_message(packet)


@pytest.mark.parametrize("value", [None, b"", b"\0\0\4", b"\0\0\2\x00", b"\0\0\7\0", b"\0\0\4\x64"])
def test_refuses_an_error_without_a_code(value: bytes | None) -> None:
    attributes = () if value is None else ((int(Attribute.ERROR_CODE), value),)
    message = StunMessage(Method.ALLOCATE, MessageClass.ERROR, bytes(12), attributes)
    with pytest.raises(ProtocolError, match="STUN error says"):
        error_code(message)


def test_reads_an_error_code() -> None:
    code = ((int(Attribute.ERROR_CODE), b"\0\0\x04\x26Stale"),)
    assert error_code(StunMessage(Method.ALLOCATE, MessageClass.ERROR, bytes(12), code)) == 438
    assert error_code(StunMessage(Method.ALLOCATE, MessageClass.SUCCESS, bytes(12), code)) is None


@pytest.mark.parametrize(
    "message",
    [
        StunMessage(0x1000, MessageClass.REQUEST, bytes(12)),
        StunMessage(1, MessageClass.REQUEST, bytes(11)),
        StunMessage(1, MessageClass.REQUEST, bytes(12), ((0x10000, b""),)),
        StunMessage(1, MessageClass.REQUEST, bytes(12), ((1, bytes(0x10000)),)),
        StunMessage(1, MessageClass.REQUEST, bytes(12), ((1, bytes(0x8000)),) * 2),
    ],
)
def test_encodes_nothing_that_does_not_fit(message: StunMessage) -> None:
    with pytest.raises(ValueError, match=r"fit|12 bytes"):
        encode_message(message)
