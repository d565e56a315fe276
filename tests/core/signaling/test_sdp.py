from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.errors import ProtocolError
from talkbutton.protocols.signaling import codec_of_answer, parse_offer

pytestmark = pytest.mark.core

CHROMIUM = (Path(__file__).parents[2] / "support/chromium_offer.sdp").read_text()
SHORT = "\r\n".join(
    [
        "v=0",
        "o=- 1 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"a=fingerprint:sha-256 {':'.join(['AB'] * 32)}",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 0",
        "c=IN IP4 0.0.0.0",
        "a=ice-ufrag:abcd",
        f"a=ice-pwd:{'p' * 24}",
        "a=rtpmap:111 opus/48000/2",
        "",
    ]
)
CANDIDATE = "a=candidate:1 1 udp 2113937151 192.0.2.5 50000 typ host\r\n"
VIDEO = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\n"


def test_a_browsers_offer_passes_unchanged() -> None:
    offer = parse_offer(CHROMIUM)
    assert offer.sdp == CHROMIUM
    assert offer.codecs[:5] == ("opus", "red", "G722", "PCMU", "PCMA")
    assert offer.candidates == 0


def test_static_formats_need_no_rtpmap_and_candidates_are_counted() -> None:
    offer = parse_offer(SHORT + CANDIDATE)
    assert (offer.codecs, offer.candidates) == (("opus", "PCMU"), 1)


def test_lines_may_end_without_carriage_return() -> None:
    assert parse_offer(SHORT.replace("\r\n", "\n")).codecs == ("opus", "PCMU")


@pytest.mark.parametrize(
    ("sdp", "problem"),
    [
        ("", "not SDP"),
        ("not sdp", "not SDP"),
        ("x" * 1_000_000, "characters"),
        (SHORT + "a=x\r\n" * 1_000, "lines"),
        (SHORT + f"a={'x' * 2_000}\r\n", "not SDP"),
        (SHORT + "a=caf\u00e9\r\n", "not SDP"),
        (SHORT + "a=\x00\r\n", "not SDP"),
        (SHORT + "\r\n\r\n", "not SDP"),
        (SHORT.replace("v=0", "v=1"), "not SDP"),
        (SHORT.replace("s=-\r\n", ""), "not SDP"),
        (SHORT.partition("m=")[0], "no audio"),
        (SHORT.replace("m=audio", "m=video"), "no audio"),
        (SHORT + VIDEO, "more than one"),
        (SHORT + VIDEO.replace("video 9", "video 0"), "more than one"),
        (SHORT + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", "more than one"),
        (SHORT + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n", "more than one"),
        (SHORT.replace("audio 9", "audio 0"), "rejected"),
        (SHORT.replace("audio 9", "audio 70000"), "rejected"),
        (SHORT.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "DTLS-SRTP"),
        (SHORT.replace("111 0", " ".join(["0"] * 65)), "formats"),
        (SHORT.replace("a=ice-ufrag:abcd\r\n", ""), "ice-ufrag"),
        (SHORT.replace("ufrag:abcd", "ufrag:a"), "ice-ufrag"),
        (SHORT.replace("p" * 24, "short"), "ice-pwd"),
        (SHORT.replace("sha-256", "md5"), "fingerprint"),
        (SHORT.replace("AB:", "", 1), "fingerprint"),
        (SHORT + CANDIDATE * 51, "candidates"),
        (SHORT + CANDIDATE.replace("typ", "type"), "candidate"),
    ],
)
def test_refuses(sdp: str, problem: str) -> None:
    with pytest.raises(ProtocolError, match=problem):
        parse_offer(sdp)


LINES = CHROMIUM.splitlines()


@given(st.text(max_size=500))
def test_any_text_is_refused(sdp: str) -> None:
    with pytest.raises(ProtocolError):
        parse_offer(sdp)


@given(
    st.lists(
        st.sampled_from([*LINES, *SHORT.splitlines(), *VIDEO.splitlines()])
        | st.text(alphabet=st.characters(codec="ascii"), max_size=30),
        max_size=40,
    )
)
def test_what_passes_has_one_audio_section_and_is_printable(lines: list[str]) -> None:
    sdp = "\r\n".join(["v=0", LINES[1], "s=-", *lines, *LINES[6:14]])
    try:
        offer = parse_offer(sdp)
    except ProtocolError:
        return
    assert [line[:7] for line in offer.sdp.splitlines() if line.startswith("m=")] == ["m=audio"]
    assert all(line.replace("\t", " ").isprintable() for line in offer.sdp.splitlines())


@pytest.mark.parametrize(
    ("lines", "codec"),
    [
        (["m=audio 9 UDP/TLS/RTP/SAVPF 111 126", "a=rtpmap:111 opus/48000/2"], "opus"),
        (["m=audio 9 UDP/TLS/RTP/SAVPF 0"], "PCMU"),
        (["m=audio 9 UDP/TLS/RTP/SAVPF 96"], None),
        (["v=0"], None),
        ([""], None),
    ],
)
def test_the_codec_of_an_answer_is_its_first(lines: list[str], codec: str | None) -> None:
    assert codec_of_answer("\r\n".join(lines)) == codec
