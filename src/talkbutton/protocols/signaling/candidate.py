"""One ICE candidate: parsed into fields, and written anew from them.

Nothing of the text that a visitor sends goes on to Janus: what it is given is written here.

Source: RFC 8839, section 5.1 (candidate-attribute); RFC 6544 (``tcptype``); mDNS names as
candidates' addresses as in draft-ietf-mmusic-mdns-ice-candidates.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
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
_MDNS_NAME = re.compile(r"[A-Za-z0-9-]{1,63}\.local", re.IGNORECASE)
_COMPONENT_RTP = 1
_COMPONENT_MAX = 256
_PRIORITY_MAX = 2**32 - 1
_PORT_MAX = 65_535


@dataclass(frozen=True, slots=True)
class IceCandidate:
    """A well-formed candidate.

    Attributes:
        foundation: Same for candidates of one kind, base and server.
        component: 1 for RTP, 2 for RTCP.
        transport: ``udp`` or ``tcp``.
        priority: 32 bits.
        address: IP address in its shortest form, or an mDNS name.
        port: 0 to 65535.
        type: How the browser found it.
    """

    foundation: str
    component: int
    transport: Literal["udp", "tcp"]
    priority: int
    address: str
    port: int
    type: CandidateType

    @property
    def text(self) -> str:
        """The attribute, beginning with ``candidate:``, written from the fields.

        The related address is the visitor's private one and of no use to the gateway: left out.
        Extensions are left out too.
        """
        return (
            f"candidate:{self.foundation} {self.component} {self.transport} {self.priority} "
            f"{self.address} {self.port} typ {self.type}"
        )

    @property
    def is_for_gateway(self) -> bool:
        """Whether the gateway may send connectivity checks to it.

        It checks UDP addresses only, and RTCP goes the way of RTP. A browser has no use for
        loopback, link-local, multicast or unspecified addresses towards another machine, but an
        attacker who wants the gateway to knock at its own host's doors has.
        """
        if self.transport != "udp" or self.component != _COMPONENT_RTP or self.port == 0:
            return False
        if _MDNS_NAME.fullmatch(self.address):
            return False
        parsed = ip_address(self.address)
        if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        return not (
            parsed.is_loopback
            or parsed.is_link_local
            or parsed.is_multicast
            or parsed.is_unspecified
            or parsed == ip_address("255.255.255.255")
        )


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
    component, priority, port = (int(found[name]) for name in ("component", "priority", "port"))
    if not 1 <= component <= _COMPONENT_MAX:
        raise ProtocolError("a candidate's component is out of range")
    if priority > _PRIORITY_MAX or port > _PORT_MAX:
        raise ProtocolError("a candidate's priority or port is out of range")
    return IceCandidate(
        found["foundation"],
        component,
        cast("Literal['udp', 'tcp']", found["transport"].lower()),
        priority,
        _parse_address(found["address"]),
        port,
        cast("CandidateType", found["type"].lower()),
    )


def _parse_address(address: str) -> str:
    if _MDNS_NAME.fullmatch(address) is not None:
        return address.lower()
    try:
        return str(ip_address(address))
    except ValueError:
        # Other names would have the gateway ask the DNS on the visitor's word.
        raise ProtocolError(
            "a candidate's address is neither an IP address nor an mDNS name"
        ) from None
