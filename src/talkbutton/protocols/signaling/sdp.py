"""The gate before Janus: an SDP offer is read into values, and a new one is written from them.

Only what one voice call needs is read: one media section, audio, over DTLS-SRTP, its ICE
credentials, certificate fingerprint, candidates and the codecs that we carry. Nothing else of the
visitor's text gets through, so Janus's parser meets no line that was not written here.

Source: RFC 8866 (SDP), RFC 8839 section 5.4 (ice-ufrag, ice-pwd), RFC 8122 section 5
(fingerprint), RFC 8842 (setup), RFC 9143 (mid, BUNDLE), RFC 9429 section 5.1.2 (the protocols to
expect in an ``m=`` line).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from talkbutton.errors import ProtocolError
from talkbutton.protocols.signaling.candidate import IceCandidate, parse_candidate
from talkbutton.protocols.signaling.messages import OFFER_MAX_BYTES
from talkbutton.protocols.signaling.sdp_codecs import AudioFormat, name_codecs, read_formats

__all__ = ["AudioOffer", "codec_of_answer", "parse_offer"]

_LINES_MAX = 500
_LINE_MAX_BYTES = 1_024
_CANDIDATES_MAX = 50
_FORMATS_MAX = 64
_SOURCES_MAX = 4
_EXTENSION_ID_MAX = 255
_SSRC_MAX = 2**32 - 1
_SESSION_NUMBER_MAX = 2**63 - 1

_LINE = re.compile(r"[a-z]=[\t -~]+")
_ORIGIN = re.compile(r"o=[!-~]+ (?P<id>[0-9]{1,19}) (?P<version>[0-9]{1,19}) IN IP[46] [!-~]+")
_MEDIA = re.compile(
    r"audio (?P<port>[0-9]{1,5}) (?:UDP/TLS/)?RTP/SAVPF? (?P<formats>[0-9]{1,3}(?: [0-9]{1,3})*)"
)
_EXTENSION = re.compile(r"extmap:(?P<id>[0-9]{1,3}) (?P<uri>[!-~]+)")
_SOURCE = re.compile(r"ssrc:(?P<ssrc>[0-9]{1,10}) cname:(?P<cname>[A-Za-z0-9+/=@._{}-]{1,255})")
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")

_VALUES = {
    "ice-ufrag": re.compile(r"[A-Za-z0-9+/]{4,256}"),
    "ice-pwd": re.compile(r"[A-Za-z0-9+/]{22,256}"),
    "fingerprint": re.compile(
        r"sha-(?:256 [0-9A-F]{2}(?::[0-9A-F]{2}){31}|384 [0-9A-F]{2}(?::[0-9A-F]{2}){47}"
        r"|512 [0-9A-F]{2}(?::[0-9A-F]{2}){63})",
        re.IGNORECASE,
    ),
    "setup": re.compile(r"actpass|active|passive"),
    "mid": re.compile(r"[A-Za-z0-9._-]{1,32}"),
}
"""Attributes that an offer must have, once, and the form of their values."""

_EXTENSIONS = frozenset(
    {"urn:ietf:params:rtp-hdrext:ssrc-audio-level", "urn:ietf:params:rtp-hdrext:sdes:mid"}
)
"""RTP header extensions that go on: who speaks how loud (RFC 6464), and the section (RFC 9143)."""


@dataclass(frozen=True, slots=True)
class AudioOffer:
    """An offer of one voice call.

    Attributes:
        sdp: The offer, written anew.
        codecs: Names of the codecs that were kept, most wanted first.
        candidates: How many ICE candidates the visitor's text had.
    """

    sdp: str
    codecs: tuple[str, ...]
    candidates: int


def parse_offer(sdp: str) -> AudioOffer:
    """Return the offer that ``sdp`` makes, in our own words.

    Raises:
        ProtocolError: If it is not an offer of one voice call.
    """
    lines = _split(sdp)
    payload_types = _read_media([line[2:] for line in lines if line.startswith("m=")])
    attributes = [line[2:] for line in lines if line.startswith("a=")]
    values = {name: _read_value(attributes, name) for name in _VALUES}
    if "rtcp-mux" not in attributes:
        raise ProtocolError("the offer has no rtcp-mux")
    formats = read_formats(payload_types, attributes)
    if not any(one.is_speech for one in formats):
        raise ProtocolError("the offer has no codec that is carried here")
    candidates = _read_candidates(attributes)
    written = [
        *_write_head(lines[1], values["mid"]),
        *_write_media(formats),
        *_write_transport(values, attributes),
        *_write_sources(attributes),
        *(f"a={one.text}" for one in candidates if one.is_for_gateway),
    ]
    if "end-of-candidates" in attributes:
        written.append("a=end-of-candidates")
    return AudioOffer(
        "".join(f"{line}\r\n" for line in written), name_codecs(formats), len(candidates)
    )


def codec_of_answer(sdp: str) -> str | None:
    """Return the name of the codec that an answer prefers; None where it cannot be told."""
    lines = sdp.splitlines()
    media = next((found for line in lines if (found := _MEDIA.fullmatch(line[2:]))), None)
    if media is None:
        return None
    attributes = [line[2:] for line in lines if line.startswith("a=")]
    formats = read_formats(media["formats"].split(" ")[:1], attributes)
    return next(iter(name_codecs(formats)), None)


def _split(sdp: str) -> list[str]:
    if len(sdp) > OFFER_MAX_BYTES:
        raise ProtocolError(f"the offer has {len(sdp)} characters")
    lines = sdp.replace("\r\n", "\n").removesuffix("\n").split("\n")
    if len(lines) > _LINES_MAX:
        raise ProtocolError(f"the offer has {len(lines)} lines")
    for line in lines:
        if len(line) > _LINE_MAX_BYTES or _LINE.fullmatch(line) is None:
            raise ProtocolError("the offer is not SDP")
    if [line[:2] for line in lines[:3]] != ["v=", "o=", "s="] or lines[0] != "v=0":
        raise ProtocolError("the offer is not SDP")
    return lines


def _read_media(media_lines: Sequence[str]) -> list[str]:
    kinds = [line.partition(" ")[0] for line in media_lines]
    if "audio" not in kinds:
        raise ProtocolError("the offer has no audio")
    if kinds != ["audio"]:
        raise ProtocolError("the offer has more than one media section")
    media = _MEDIA.fullmatch(media_lines[0])
    if media is None:
        raise ProtocolError("the offer's audio is not over DTLS-SRTP")
    if not 1 <= int(media["port"]) <= 65_535:
        raise ProtocolError("the offer's audio section is rejected or has a wrong port")
    payload_types = media["formats"].split(" ")
    if len(payload_types) > _FORMATS_MAX:
        raise ProtocolError(f"the offer has {len(payload_types)} formats")
    return payload_types


def _read_value(attributes: Sequence[str], name: str) -> str:
    """Return an attribute's one value; at session and at media level it must be the same."""
    found = {text.removeprefix(f"{name}:") for text in attributes if text.startswith(f"{name}:")}
    if len(found) != 1 or _VALUES[name].fullmatch(value := found.pop()) is None:
        raise ProtocolError(f"the offer has no valid {name}")
    return value


def _read_candidates(attributes: Sequence[str]) -> list[IceCandidate]:
    texts = [text for text in attributes if text.startswith("candidate:")]
    if len(texts) > _CANDIDATES_MAX:
        raise ProtocolError(f"the offer has {len(texts)} candidates")
    return [parse_candidate(text) for text in texts]


def _write_head(origin_line: str, mid: str) -> list[str]:
    origin = _ORIGIN.fullmatch(origin_line)
    if origin is None or max(int(origin["id"]), int(origin["version"])) > _SESSION_NUMBER_MAX:
        raise ProtocolError("the offer has no valid origin")
    return [
        "v=0",
        f"o=- {int(origin['id'])} {int(origin['version'])} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {mid}",
    ]


def _write_media(formats: Sequence[AudioFormat]) -> list[str]:
    payload_types = " ".join(str(one.payload_type) for one in formats)
    described = [line for one in formats for line in one.lines()]
    return [f"m=audio 9 UDP/TLS/RTP/SAVPF {payload_types}", "c=IN IP4 0.0.0.0", *described]


def _write_transport(values: dict[str, str], attributes: Sequence[str]) -> list[str]:
    direction = next((text for text in attributes if text in _DIRECTIONS), "sendrecv")
    has_trickle = any(
        text.startswith("ice-options:") and "trickle" in text[12:].split(" ") for text in attributes
    )
    lines = [f"a={name}:{value}" for name, value in values.items()]
    lines += ["a=ice-options:trickle"] if has_trickle else []
    lines += [f"a={direction}", "a=rtcp-mux"]
    return lines + (["a=rtcp-rsize"] if "rtcp-rsize" in attributes else [])


def _write_sources(attributes: Sequence[str]) -> list[str]:
    """Return header extensions, and synchronization sources, by which Janus tells streams apart."""
    extensions: dict[int, str] = {}
    sources: dict[int, str] = {}
    for text in attributes:
        if (found := _EXTENSION.fullmatch(text)) and found["uri"] in _EXTENSIONS:
            extensions.setdefault(int(found["id"]), found["uri"])
        elif found := _SOURCE.fullmatch(text):
            sources.setdefault(int(found["ssrc"]), found["cname"])
    known = [one for one in extensions.items() if 1 <= one[0] <= _EXTENSION_ID_MAX]
    real = [one for one in sources.items() if 1 <= one[0] <= _SSRC_MAX]
    return [
        *(f"a=extmap:{number} {uri}" for number, uri in known),
        *(f"a=ssrc:{ssrc} cname:{cname}" for ssrc, cname in real[:_SOURCES_MAX]),
    ]
