"""One ICE candidate as text, checked before it goes any further.

Source: RFC 8839, section 5.1 (candidate-attribute); RFC 6544 (``tcptype``); mDNS names as
candidates' addresses as in draft-ietf-mmusic-mdns-ice-candidates.
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal, cast

from talkbutton.errors import ProtocolError

__all__ = ["CANDIDATE_MAX_BYTES", "CandidateType", "IceCandidate", "parse_candidate"]

CANDIDATE_MAX_BYTES = 512
"""Longest candidate attribute."""

CandidateType = Literal["host", "srflx", "prflx", "relay"]

_CANDIDATE = re.compile(
    r"candidate:(?P<foundation>[A-Za-z0-9+/]{1,32})"
    r" (?P<component>[0-9]{1,3})"
    r" (?P<transport>udp|tcp)"
    r" (?P<priority>[0-9]{1,10})"
    r" (?P<address>[A-Za-z0-9.:-]{1,255})"
    r" (?P<port>[0-9]{1,5})"
    r" typ (?P<type>host|srflx|prflx|relay)"
    r"(?P<more>(?: [!-~]+ [!-~]+)*) ?",
    re.IGNORECASE,
)
_COMPONENT_MAX = 256
_PRIORITY_MAX = 2**32 - 1
_PORT_MAX = 65_535


@dataclass(frozen=True, slots=True)
class IceCandidate:
    """A candidate that is well-formed; nothing says yet that it is harmless.

    Attributes:
        text: The whole attribute, beginning with ``candidate:``.
        type: How the browser found it.
        transport: ``udp`` or ``tcp``.
        address: IP address, or an mDNS name.
    """

    text: str
    type: CandidateType
    transport: str
    address: str


def parse_candidate(text: str) -> IceCandidate:
    """Return the candidate in ``text``.

    Raises:
        ProtocolError: If it is not a candidate attribute, or a number in it is out of range.
    """
    if len(text) > CANDIDATE_MAX_BYTES:
        raise ProtocolError(f"a candidate has {len(text)} characters")
    found = _CANDIDATE.fullmatch(text)
    if found is None:
        raise ProtocolError("a candidate does not have the form of a candidate attribute")
    if not 1 <= int(found["component"]) <= _COMPONENT_MAX:
        raise ProtocolError("a candidate's component is out of range")
    if int(found["priority"]) > _PRIORITY_MAX or int(found["port"]) > _PORT_MAX:
        raise ProtocolError("a candidate's priority or port is out of range")
    address = found["address"]
    if not _is_address_or_name(address):
        raise ProtocolError("a candidate's address is neither an IP address nor a name")
    candidate_type = cast("CandidateType", found["type"].lower())
    return IceCandidate(text, candidate_type, found["transport"].lower(), address)


def _is_address_or_name(address: str) -> bool:
    try:
        ip_address(address)
    except ValueError:
        labels = address.split(".")
        return len(labels) > 1 and ":" not in address and not labels[-1].isdigit() and all(labels)
    return True
