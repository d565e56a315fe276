"""The audio formats that an offer may name, out of all that browsers know.

Source: RFC 7587 (opus), RFC 3551 (PCMU, PCMA), RFC 4733 (telephone-event).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["AudioFormat", "name_codecs", "read_formats"]

_RTPMAP = re.compile(
    r"rtpmap:(?P<type>[0-9]{1,3}) (?P<name>[A-Za-z0-9._-]{1,32})/(?P<rate>[0-9]{1,6})"
    r"(?:/(?P<channels>[0-9]))?"
)
_FMTP = re.compile(r"fmtp:(?P<type>[0-9]{1,3}) (?P<parameters>[!-~]+(?: [!-~]+)*)")
_PAYLOAD_TYPE_MAX = 127
_DTMF_EVENTS = "0-15"

_KNOWN = {
    ("opus", 48_000, 2): "opus/48000/2",
    ("pcmu", 8_000, 1): "PCMU/8000",
    ("pcma", 8_000, 1): "PCMA/8000",
    ("telephone-event", 8_000, 1): "telephone-event/8000",
    ("telephone-event", 48_000, 1): "telephone-event/48000",
}
"""What goes on, as it is written in ``a=rtpmap``."""

_STATIC = {0: "PCMU/8000", 8: "PCMA/8000"}
"""Payload types that need no ``a=rtpmap``, and mean this whatever one says."""

_OPUS_RANGES = {
    "maxplaybackrate": (8_000, 48_000),
    "sprop-maxcapturerate": (8_000, 48_000),
    "maxaveragebitrate": (6_000, 510_000),
    "minptime": (3, 120),
    "maxptime": (3, 120),
    "ptime": (3, 120),
    "stereo": (0, 1),
    "sprop-stereo": (0, 1),
    "cbr": (0, 1),
    "useinbandfec": (0, 1),
    "usedtx": (0, 1),
}


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """One format of an ``m=audio`` line.

    Attributes:
        payload_type: 0 to 127.
        encoding: Such as ``opus/48000/2``.
        parameters: For ``a=fmtp``; empty without.
    """

    payload_type: int
    encoding: str
    parameters: str = ""

    @property
    def name(self) -> str:
        """The codec's name."""
        return self.encoding.partition("/")[0]

    @property
    def is_speech(self) -> bool:
        """Whether it carries sound; telephone-event does not."""
        return self.name != "telephone-event"

    def lines(self) -> list[str]:
        """Return its lines of an SDP."""
        described = [f"a=rtpmap:{self.payload_type} {self.encoding}"]
        if self.parameters:
            described.append(f"a=fmtp:{self.payload_type} {self.parameters}")
        return described


def read_formats(payload_types: Sequence[str], attributes: Sequence[str]) -> list[AudioFormat]:
    """Return the known formats among ``payload_types``, in their order.

    Args:
        payload_types: Those of the media line, as digits.
        attributes: Attribute lines, without ``a=``.
    """
    encodings, parameters = dict(_STATIC), dict[int, str]()
    for text in attributes:
        if found := _RTPMAP.fullmatch(text):
            key = (found["name"].lower(), int(found["rate"]), int(found["channels"] or 1))
            if key in _KNOWN:
                encodings.setdefault(int(found["type"]), _KNOWN[key])
        elif found := _FMTP.fullmatch(text):
            parameters.setdefault(int(found["type"]), found["parameters"])
    wanted = [int(one) for one in dict.fromkeys(payload_types) if int(one) <= _PAYLOAD_TYPE_MAX]
    return [
        AudioFormat(one, encodings[one], _parameters(encodings[one], parameters.get(one, "")))
        for one in dict.fromkeys(wanted)
        if one in encodings
    ]


def name_codecs(formats: Sequence[AudioFormat]) -> tuple[str, ...]:
    """Return the names, each once, in order."""
    return tuple(dict.fromkeys(one.name for one in formats))


def _parameters(encoding: str, text: str) -> str:
    if encoding.startswith("telephone-event"):
        return _DTMF_EVENTS
    return _opus_parameters(text) if encoding.startswith("opus") else ""


def _opus_parameters(text: str) -> str:
    kept: dict[str, int] = {}
    for one in text.split(";"):
        name, _, digits = one.strip().partition("=")
        if name not in _OPUS_RANGES or not (digits.isascii() and digits.isdigit()):
            continue
        least, greatest = _OPUS_RANGES[name]
        if len(digits) <= 6 and least <= int(digits) <= greatest:
            kept.setdefault(name, int(digits))
    return ";".join(f"{name}={number}" for name, number in kept.items())
