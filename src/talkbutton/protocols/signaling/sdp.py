"""The gate that every SDP offer passes before Janus sees it.

It lets through what a browser offers for one voice call, and nothing else: text within bounds, one
media section, audio, over DTLS-SRTP, with ICE credentials and a certificate fingerprint. It does
not change the text.

Source: RFC 8866 (SDP), RFC 8839 section 5.4 (ice-ufrag, ice-pwd), RFC 8122 section 5
(fingerprint), RFC 9429 section 5.1.2 (the protocols to expect in an ``m=`` line).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from talkbutton.errors import ProtocolError
from talkbutton.protocols.signaling.candidate import parse_candidate
from talkbutton.protocols.signaling.messages import OFFER_MAX_BYTES

__all__ = ["AudioOffer", "codec_of_answer", "parse_offer"]

_LINES_MAX = 500
_LINE_MAX_BYTES = 1_024
_CANDIDATES_MAX = 50
_FORMATS_MAX = 64
_LINE = re.compile(r"[a-z]=[\t -~]+")
_MEDIA = re.compile(
    r"audio (?P<port>[0-9]{1,5}) (?:UDP/TLS/)?RTP/SAVPF? (?P<formats>[0-9]{1,3}(?: [0-9]{1,3})*)"
)
_ICE_UFRAG = re.compile(r"ice-ufrag:[A-Za-z0-9+/]{4,256}")
_ICE_PWD = re.compile(r"ice-pwd:[A-Za-z0-9+/]{22,256}")
_FINGERPRINT = re.compile(
    r"fingerprint:sha-(?:256|384|512) [0-9A-F]{2}(?::[0-9A-F]{2}){31,63}", re.IGNORECASE
)
_RTPMAP = re.compile(r"rtpmap:(?P<format>[0-9]{1,3}) (?P<name>[A-Za-z0-9._-]{1,32})/[0-9/]+")
_STATIC_NAMES = {"0": "PCMU", "8": "PCMA", "9": "G722"}


@dataclass(frozen=True, slots=True)
class AudioOffer:
    """What is worth knowing about an offer that passed.

    Attributes:
        sdp: The offer, unchanged.
        codecs: Names of the offered codecs, most wanted first.
        candidates: How many ICE candidates it already has.
    """

    sdp: str
    codecs: tuple[str, ...]
    candidates: int


def parse_offer(sdp: str) -> AudioOffer:
    """Return what ``sdp`` offers.

    Raises:
        ProtocolError: If it is not an offer of one voice call.
    """
    lines = _split(sdp)
    media_lines = [line[2:] for line in lines if line.startswith("m=")]
    attributes = [line[2:] for line in lines if line.startswith("a=")]
    formats = _parse_media(media_lines)
    for name, pattern in (
        ("ice-ufrag", _ICE_UFRAG),
        ("ice-pwd", _ICE_PWD),
        ("fingerprint", _FINGERPRINT),
    ):
        _require(attributes, name, pattern)
    candidates = [text for text in attributes if text.startswith("candidate:")]
    if len(candidates) > _CANDIDATES_MAX:
        raise ProtocolError(f"the offer has {len(candidates)} candidates")
    for text in candidates:
        parse_candidate(text)
    return AudioOffer(sdp, _name_codecs(formats, attributes), len(candidates))


def codec_of_answer(sdp: str) -> str | None:
    """Return the name of the codec that an answer prefers; None where it cannot be told."""
    lines = sdp.splitlines()
    media = next((found for line in lines if (found := _MEDIA.fullmatch(line[2:]))), None)
    if media is None:
        return None
    attributes = [line[2:] for line in lines if line.startswith("a=")]
    return next(iter(_name_codecs(media["formats"].split(" ")[:1], attributes)), None)


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


def _parse_media(media_lines: Sequence[str]) -> list[str]:
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
    formats = media["formats"].split(" ")
    if len(formats) > _FORMATS_MAX:
        raise ProtocolError(f"the offer has {len(formats)} formats")
    return formats


def _require(attributes: Sequence[str], name: str, pattern: re.Pattern[str]) -> None:
    present = [text for text in attributes if text.startswith(f"{name}:")]
    if not present or any(pattern.fullmatch(text) is None for text in present):
        raise ProtocolError(f"the offer has no valid {name}")


def _name_codecs(formats: Sequence[str], attributes: Sequence[str]) -> tuple[str, ...]:
    names = dict(_STATIC_NAMES)
    for text in attributes:
        found = _RTPMAP.fullmatch(text)
        if found is not None:
            names[found["format"]] = found["name"]
    return tuple(dict.fromkeys(names[key] for key in formats if key in names))
