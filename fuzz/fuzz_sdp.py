"""Feeds arbitrary text to the SDP gate and to the candidate parser.

Allowed outcomes: a value, or ``ProtocolError``. Run it by itself for a number of seconds:

    python fuzz/fuzz_sdp.py 60
"""

import random
import re

from fuzzing import fuzz

from talkbutton.errors import ProtocolError
from talkbutton.protocols.signaling import OFFER_MAX_BYTES, parse_candidate, parse_offer

_CANDIDATE = b"candidate:842163049 1 udp 1677729535 198.51.100.7 46154 typ srflx raddr :: rport 0"
_OFFER = b"\r\n".join(
    [
        b"v=0",
        b"o=- 1 2 IN IP4 127.0.0.1",
        b"s=-",
        b"t=0 0",
        b"m=audio 9 UDP/TLS/RTP/SAVPF 111 0",
        b"a=ice-ufrag:abcd",
        b"a=ice-pwd:" + b"p" * 24,
        b"a=fingerprint:sha-256 " + b":".join([b"AB"] * 32),
        b"a=setup:actpass",
        b"a=mid:0",
        b"a=rtcp-mux",
        b"a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
        b"a=ssrc:2965981744 cname:mPfbZRCoz+NBb1Ps",
        b"a=rtpmap:111 opus/48000/2",
        b"a=fmtp:111 minptime=10;useinbandfec=1",
        b"a=" + _CANDIDATE,
        b"",
    ]
)
_WRITTEN = re.compile(
    r"v=0|o=- \d+ \d+ IN IP4 127\.0\.0\.1|s=-|t=0 0|c=IN IP4 0\.0\.0\.0"
    r"|m=audio 9 UDP/TLS/RTP/SAVPF( \d+)+"
    r"|a=(group:BUNDLE|mid|ice-ufrag|ice-pwd|fingerprint|setup|ice-options|extmap|ssrc|rtpmap|fmtp"
    r"|candidate)[: ][!-~ ]+"
    r"|a=(sendrecv|sendonly|recvonly|inactive|rtcp-mux|rtcp-rsize|end-of-candidates)"
)
"""Every line that may reach Janus."""

_PIECES = (
    *_OFFER.splitlines(keepends=True),
    b"m=video 9 UDP/TLS/RTP/SAVPF 96\r\n",
    b"m=audio 0 UDP/TLS/RTP/SAVPF 0\r\n",
    b"\n",
    b"\r",
    b"\x00",
    b" ",
    b"\xc3\xa9",
    b"9" * 20,
    b"a=" + b"x" * 1_100,
)


SEEDS = (_OFFER, _CANDIDATE)
"""What a coverage-guided run starts from."""


def check_one_input(fuzzed: bytes) -> None:
    """Offer the text, and take it for a candidate."""
    text = fuzzed.decode("utf-8", "surrogateescape")
    try:
        offer = parse_offer(text)
    except ProtocolError:
        pass
    else:
        assert len(text) <= OFFER_MAX_BYTES
        lines = offer.sdp.removesuffix("\r\n").split("\r\n")
        assert [line[:8] for line in lines if line.startswith("m=")] == ["m=audio "]
        assert all(_WRITTEN.fullmatch(line) is not None for line in lines), offer.sdp
        assert parse_offer(offer.sdp).sdp == offer.sdp
    try:
        candidate = parse_candidate(text)
    except ProtocolError:
        return
    assert parse_candidate(candidate.text) == candidate
    assert _WRITTEN.fullmatch(f"a={candidate.text}") is not None
    assert isinstance(candidate.is_for_gateway, bool)


def _mutate(source: random.Random) -> bytes:
    """Return an offer or a candidate with pieces changed, inserted, cut out or repeated."""
    fuzzed = bytearray(source.choice((_OFFER, _OFFER, _CANDIDATE, b"")))
    for _ in range(source.randrange(5)):
        at = source.randrange(len(fuzzed) + 1)
        match source.randrange(4):
            case 0:
                fuzzed[at:at] = source.choice(_PIECES)
            case 1:
                del fuzzed[at : at + source.choice((1, 3, 30))]
            case 2:
                fuzzed[at : at + 1] = source.randbytes(1)
            case _:
                fuzzed[at:at] = fuzzed[: source.randrange(100)] * source.choice((1, 2, 50))
    return bytes(fuzzed)


if __name__ == "__main__":
    fuzz(check_one_input, _mutate)
