import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.errors import ProtocolError
from talkbutton.protocols.rtp import RtpExtension, RtpPacket, encode_packet, parse_packet

pytestmark = pytest.mark.core

HEADER = bytes.fromhex("80003039 0000a0b0 deadbeef".replace(" ", ""))

extensions = st.builds(
    RtpExtension,
    profile=st.integers(0, 0xFFFF),
    content=st.integers(0, 5).flatmap(lambda n: st.binary(min_size=4 * n, max_size=4 * n)),
)
packets = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence_number=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFF_FFFF),
    ssrc=st.integers(0, 0xFFFF_FFFF),
    payload=st.binary(max_size=200),
    marker=st.booleans(),
    csrcs=st.lists(st.integers(0, 0xFFFF_FFFF), max_size=15).map(tuple),
    extension=st.none() | extensions,
    padding_bytes=st.integers(0, 255),
)


@given(packets)
def test_parse_undoes_encode(packet: RtpPacket) -> None:
    assert parse_packet(encode_packet(packet)) == packet


@given(st.binary(max_size=100))
def test_bytes_are_refused_or_mean_one_packet(datagram: bytes) -> None:
    try:
        packet = parse_packet(datagram)
    except ProtocolError:
        return
    again = encode_packet(packet)
    assert len(again) == len(datagram)
    assert parse_packet(again) == packet


@given(packets, st.data())
def test_header_cut_anywhere_is_refused(packet: RtpPacket, data: st.DataObject) -> None:
    datagram = encode_packet(packet)
    header_bytes = len(datagram) - len(packet.payload) - packet.padding_bytes
    cut = data.draw(st.integers(0, header_bytes - 1))
    with pytest.raises(ProtocolError):
        parse_packet(datagram[:cut])


def test_reads_the_fields_of_the_rfc() -> None:
    assert parse_packet(HEADER + b"abc") == RtpPacket(0, 12345, 0xA0B0, 0xDEADBEEF, b"abc")
    assert parse_packet(b"\x80\x89" + HEADER[2:]).marker
    assert parse_packet(b"\x80\x89" + HEADER[2:]).payload_type == 9


def test_finds_the_payload_behind_csrcs_extension_and_padding() -> None:
    datagram = (
        b"\xb2" + HEADER[1:] + b"\0\0\0\1\0\0\0\2" + b"\xbe\xde\0\1EXTN" + b"payload" + b"\0\0\3"
    )
    packet = parse_packet(datagram)
    assert packet.csrcs == (1, 2)
    assert packet.extension == RtpExtension(0xBEDE, b"EXTN")
    assert packet.payload == b"payload"
    assert packet.padding_bytes == 3


@pytest.mark.parametrize(
    ("datagram", "words"),
    [
        (b"", "0 bytes"),
        (HEADER[:11], "11 bytes"),
        (b"\x00" + HEADER[1:], "version 0"),
        (b"\x40" + HEADER[1:], "version 1"),
        (b"\xc0" + HEADER[1:], "version 3"),
        (b"\x81" + HEADER[1:], "contributing"),
        (b"\x90" + HEADER[1:] + b"\0\0", "extension header"),
        (b"\x90" + HEADER[1:] + b"\0\0\0\1abc", "extension of 1 words"),
        (b"\xa0" + HEADER[1:], "0 bytes of padding"),
        (b"\xa0" + HEADER[1:] + b"abc\0", "0 bytes of padding"),
        (b"\xa0" + HEADER[1:] + b"abc\5", "5 bytes of padding"),
    ],
)
def test_refuses_what_is_not_rtp(datagram: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        parse_packet(datagram)


def test_takes_the_longest_datagram_there_is() -> None:
    assert len(parse_packet(HEADER + bytes(65_507 - 12)).payload) == 65_495


@pytest.mark.parametrize(
    "packet",
    [
        RtpPacket(128, 0, 0, 0, b""),
        RtpPacket(-1, 0, 0, 0, b""),
        RtpPacket(0, 1 << 16, 0, 0, b""),
        RtpPacket(0, 0, 1 << 32, 0, b""),
        RtpPacket(0, 0, 0, -1, b""),
        RtpPacket(0, 0, 0, 0, b"", csrcs=(0,) * 16),
        RtpPacket(0, 0, 0, 0, b"", padding_bytes=256),
        RtpPacket(0, 0, 0, 0, b"", extension=RtpExtension(0, b"abc")),
        RtpPacket(0, 0, 0, 0, b"", extension=RtpExtension(1 << 16, b"")),
    ],
)
def test_does_not_encode_what_does_not_fit(packet: RtpPacket) -> None:
    with pytest.raises(ValueError, match=r".+"):
        encode_packet(packet)
