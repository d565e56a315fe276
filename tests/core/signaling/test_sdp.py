from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.errors import ProtocolError
from talkbutton.protocols.signaling import codec_of_answer, parse_offer

pytestmark = pytest.mark.core

SUPPORT = Path(__file__).parents[2] / "support"
CHROMIUM = (SUPPORT / "chromium_offer.sdp").read_text()
FIREFOX = (SUPPORT / "firefox_offer.sdp").read_text()
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
        "a=setup:actpass",
        "a=mid:0",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "",
    ]
)
CANDIDATE = "a=candidate:1 1 udp 2113937151 192.0.2.5 50000 typ host\r\n"
VIDEO = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\n"


REBUILT_CHROMIUM = """\
v=0
o=- 6386626293518301158 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8 110 126
c=IN IP4 0.0.0.0
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:110 telephone-event/48000
a=fmtp:110 0-15
a=rtpmap:126 telephone-event/8000
a=fmtp:126 0-15
a=ice-ufrag:z+fb
a=ice-pwd:oXuQcMf8pwfJ01jyYu78PSwe
a=fingerprint:sha-256 E4:54:E6:6C:80:C1:A3:93:B1:83:13:9B:54:CF:5F:FE:DA:E6:36:BA:12:9B:87:92:\
E3:3F:3D:7D:74:78:49:77
a=setup:actpass
a=mid:0
a=ice-options:trickle
a=sendrecv
a=rtcp-mux
a=rtcp-rsize
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=ssrc:2965981744 cname:mPfbZRCoz+NBb1Ps
"""


def test_chromiums_offer_is_written_anew() -> None:
    offer = parse_offer(CHROMIUM)
    assert offer.sdp.replace("\r\n", "\n") == REBUILT_CHROMIUM
    assert offer.codecs == ("opus", "PCMU", "PCMA", "telephone-event")
    assert offer.candidates == 0


def test_firefoxs_offer_is_written_anew() -> None:
    """Its fingerprint stands above the media section, its session has a name and a number."""
    offer = parse_offer(FIREFOX)
    lines = offer.sdp.splitlines()
    assert lines[1] == "o=- 2047787647045714603 0 IN IP4 127.0.0.1"
    assert "m=audio 9 UDP/TLS/RTP/SAVPF 109 0 8 101" in lines
    assert "a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1" in lines
    assert "a=ssrc:78533423 cname:{e165aa47-b30b-4eff-a8ba-bbe804768f21}" in lines
    assert [line for line in lines if line.startswith("a=fingerprint:sha-256 E3:CF:")]
    assert offer.codecs == ("opus", "PCMU", "PCMA", "telephone-event")


@pytest.mark.parametrize("sdp", [CHROMIUM, FIREFOX, SHORT])
def test_what_was_written_is_written_the_same_again(sdp: str) -> None:
    once = parse_offer(sdp)
    assert parse_offer(once.sdp) == once


@pytest.mark.parametrize(
    "line",
    [
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
        "a=rtpmap:96 VP8/90000",
        "a=rtpmap:0 opus/48000/2",
        "a=fmtp:111 minptime=10;x-google-evil=1",
        "a=rtcp-fb:111 nack pli",
        "a=rid:hi send",
        "a=simulcast:send hi",
        "a=extmap:5 urn:3gpp:video-orientation",
        "a=sctp-port:5000",
        "a=ice-lite",
        "a=remote-candidates:1 192.0.2.1 5060",
        "a=rtcp:5060 IN IP4 192.0.2.1",
        "a=ssrc:1 msid:{evil} {evil}",
        "a=ssrc-group:FID 1 2",
        "a=key-mgmt:mikey AQAF",
        "b=AS:999999",
        "k=clear:secret",
        "i=evil",
        "c=IN IP4 203.0.113.9",
    ],
)
def test_a_surprise_does_not_get_through(line: str) -> None:
    with_surprise = parse_offer(SHORT + f"{line}\r\n")
    assert with_surprise.sdp.replace("a=fmtp:111 minptime=10\r\n", "") == parse_offer(SHORT).sdp


@pytest.mark.parametrize(
    ("told", "written"),
    [
        ("minptime=10;useinbandfec=1;minptime=20", "a=fmtp:111 minptime=10;useinbandfec=1"),
        ("minptime=0;stereo=2;maxaveragebitrate=999999999;usedtx=1", "a=fmtp:111 usedtx=1"),
    ],
)
def test_parameters_of_a_codec_are_in_range(told: str, written: str) -> None:
    assert f"{written}\r\n" in parse_offer(SHORT + f"a=fmtp:111 {told}\r\n").sdp


def test_candidates_are_written_anew_and_only_those_for_the_gateway() -> None:
    sdp = (
        SHORT
        + CANDIDATE.replace("typ host", "typ host generation 0 ufrag abcd")
        + CANDIDATE.replace("192.0.2.5", "127.0.0.1")
        + CANDIDATE.replace("udp", "tcp")
        + "a=end-of-candidates\r\n"
    )
    offer = parse_offer(sdp)
    assert offer.candidates == 3
    assert offer.sdp.endswith(f"a=rtcp-mux\r\n{CANDIDATE}a=end-of-candidates\r\n")


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
        (SHORT.replace("AB", "AB:AB", 1), "fingerprint"),
        (SHORT + f"a=fingerprint:sha-256 {':'.join(['CD'] * 32)}\r\n", "fingerprint"),
        (SHORT + "a=ice-ufrag:efgh\r\n", "ice-ufrag"),
        (SHORT + "a=mid:1\r\n", "mid"),
        (SHORT.replace("actpass", "holdconn"), "setup"),
        (SHORT.replace("a=rtcp-mux\r\n", ""), "rtcp-mux"),
        (SHORT.replace("o=- 1 2", "o=- x 2"), "origin"),
        (SHORT.replace("o=- 1 2", f"o=- {2**63} 2"), "origin"),
        (SHORT.replace("111 0", "9 13 126"), "codec"),
        (SHORT.replace("111 0", "101") + "a=rtpmap:101 telephone-event/8000\r\n", "codec"),
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
    sdp = "\r\n".join(["v=0", LINES[1], "s=-", *lines, *LINES[6:]])
    try:
        offer = parse_offer(sdp)
    except ProtocolError:
        return
    assert [line[:7] for line in offer.sdp.splitlines() if line.startswith("m=")] == ["m=audio"]
    assert all(line.isprintable() for line in offer.sdp.splitlines())
    assert parse_offer(offer.sdp).sdp == offer.sdp


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
