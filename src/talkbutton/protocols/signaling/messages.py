"""What the visitor may say on the signaling socket, as values.

Every message is one JSON object with a ``type``. Unknown keys are ignored, so that newer buttons
work with older edges; unknown types, wrong types of values and anything oversized are refused.

Source: docs/reference/signaling.md.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from talkbutton.errors import ProtocolError
from talkbutton.events import Scalar
from talkbutton.protocols.signaling.candidate import (
    CANDIDATE_MAX_BYTES,
    IceCandidate,
    parse_candidate,
)

__all__ = [
    "ICE_STATES",
    "MESSAGE_MAX_BYTES",
    "OFFER_MAX_BYTES",
    "STATS_MAX_BYTES",
    "Bye",
    "Candidate",
    "IceState",
    "Offer",
    "Start",
    "Stats",
    "VisitorMessage",
    "parse_visitor_message",
]

MESSAGE_MAX_BYTES = 65_536
"""The socket refuses longer messages by itself, with close code 1009."""

OFFER_MAX_BYTES = 32_768
"""Longest SDP offer."""

STATS_MAX_BYTES = 2_048
"""Longest ``stats`` message."""

ICE_STATES = frozenset(
    {"new", "checking", "connected", "completed", "disconnected", "failed", "closed"}
)
"""``RTCIceConnectionState``. Source: W3C WebRTC, section 5.6.4."""

_SMALL_MAX_BYTES = 4_096  # anything but an offer
_STATS_MAX_KEYS = 48
_STATS_TEXT_MAX_CHARACTERS = 200
_STATS_KEY = re.compile(r"[a-z][a-zA-Z0-9_]{0,47}")
_STATS_RESERVED = frozenset({"v", "ts", "call_id", "program", "seq", "event", "leg", "name"})
_INTEGER_MAX = 2**53
_MID = re.compile(r"[A-Za-z0-9._-]{0,32}")
_REASON = re.compile(r"[a-z][a-z0-9_.-]{0,31}")


@dataclass(frozen=True, slots=True)
class Start:
    """The visitor's first message. ``token`` is None where none was sent."""

    token: str | None


@dataclass(frozen=True, slots=True)
class Offer:
    """The browser's SDP offer, not looked into yet."""

    sdp: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """One more ICE candidate of the browser; ``candidate`` None says there are no more.

    Attributes:
        candidate: The candidate attribute.
        sdp_mid: Identification tag of its media section.
        sdp_mline_index: Index of its media section.
    """

    candidate: IceCandidate | None
    sdp_mid: str | None = None
    sdp_mline_index: int | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    """Flat measurements of the browser."""

    measures: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class IceState:
    """The browser's ``iceConnectionState`` has changed."""

    ice: str


@dataclass(frozen=True, slots=True)
class Bye:
    """The visitor hangs up."""

    reason: str


VisitorMessage = Start | Offer | Candidate | Stats | IceState | Bye


def parse_visitor_message(text: str) -> VisitorMessage:
    """Return the message that ``text`` holds.

    Raises:
        ProtocolError: If it is too long, not JSON, of an unknown type or of the wrong form.
    """
    size_bytes = _measure(text)
    try:
        decoded = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise ProtocolError("a message is not JSON") from None
    if not isinstance(decoded, dict) or not isinstance(decoded.get("type"), str):
        raise ProtocolError("a message is not an object with a type")
    message_type = decoded["type"]
    if message_type != "offer" and size_bytes > _SMALL_MAX_BYTES:
        raise ProtocolError(f"a message has {size_bytes} bytes")
    match message_type:
        case "start":
            return _parse_start(decoded)
        case "offer":
            return _parse_offer(decoded)
        case "candidate":
            return _parse_candidate(decoded)
        case "stats":
            return _parse_stats(decoded, size_bytes)
        case "state":
            return _parse_state(decoded)
        case "bye":
            return _parse_bye(decoded)
        case _:
            raise ProtocolError("a message has an unknown type")


def _measure(text: str) -> int:
    if len(text) > MESSAGE_MAX_BYTES:
        raise ProtocolError(f"a message has {len(text)} characters")
    size_bytes = len(text.encode("utf-8", "surrogatepass"))
    if size_bytes > MESSAGE_MAX_BYTES:
        raise ProtocolError(f"a message has {size_bytes} bytes")
    return size_bytes


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _parse_start(decoded: dict[str, Any]) -> Start:
    token = decoded.get("token")
    if token is not None and not isinstance(token, str):
        raise ProtocolError("the token is not text")
    return Start(token)


def _parse_offer(decoded: dict[str, Any]) -> Offer:
    sdp = decoded.get("sdp")
    if not isinstance(sdp, str):
        raise ProtocolError("an offer has no sdp")
    return Offer(sdp)


def _parse_candidate(decoded: dict[str, Any]) -> Candidate:
    text = decoded.get("candidate")
    sdp_mid = decoded.get("sdpMid")
    sdp_mline_index = decoded.get("sdpMLineIndex")
    if text is not None and not isinstance(text, str):
        raise ProtocolError("a candidate is not text")
    if sdp_mid is not None and not (isinstance(sdp_mid, str) and _MID.fullmatch(sdp_mid)):
        raise ProtocolError("a candidate's sdpMid is not a short word")
    # Only one media section is ever accepted, see sdp.py.
    if sdp_mline_index is not None and (sdp_mline_index != 0 or isinstance(sdp_mline_index, bool)):
        raise ProtocolError("a candidate's sdpMLineIndex is not 0")
    if not text:
        return Candidate(None, sdp_mid, sdp_mline_index)
    if len(text) > CANDIDATE_MAX_BYTES:
        raise ProtocolError(f"a candidate has {len(text)} characters")
    return Candidate(parse_candidate(text), sdp_mid, sdp_mline_index)


def _parse_stats(decoded: dict[str, Any], size_bytes: int) -> Stats:
    if size_bytes > STATS_MAX_BYTES:
        raise ProtocolError(f"a stats message has {size_bytes} bytes")
    measures = {key: value for key, value in decoded.items() if key != "type"}
    if len(measures) > _STATS_MAX_KEYS:
        raise ProtocolError(f"a stats message has {len(measures)} keys")
    for key, value in measures.items():
        if _STATS_KEY.fullmatch(key) is None or key in _STATS_RESERVED:
            raise ProtocolError("a stats message has a key that is not allowed")
        if not _is_flat(value):
            raise ProtocolError(f"the value of {key} in a stats message is not flat")
    return Stats(measures)


def _is_flat(value: object) -> bool:
    match value:
        case None | bool():
            return True
        case int():
            return abs(value) <= _INTEGER_MAX
        case float():
            return math.isfinite(value)
        case str():
            return len(value) <= _STATS_TEXT_MAX_CHARACTERS and value.isprintable()
        case _:
            return False


def _parse_state(decoded: dict[str, Any]) -> IceState:
    ice = decoded.get("ice")
    if not isinstance(ice, str) or ice not in ICE_STATES:
        raise ProtocolError("a state message has no known ice state")
    return IceState(ice)


def _parse_bye(decoded: dict[str, Any]) -> Bye:
    reason = decoded.get("reason", "hung_up")
    if not isinstance(reason, str) or _REASON.fullmatch(reason) is None:
        raise ProtocolError("a bye's reason is not a short word")
    return Bye(reason)
