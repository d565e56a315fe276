"""SIP over UDP, as much as it takes to ask a server something and to read what it answers.

Source: RFC 3261, sections 7 (messages), 8.1.1 (requests), 17.1.1.3 (ACK), 9.1 (CANCEL).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from talkbutton.errors import ProtocolError

__all__ = ["SipAnswer", "SipRequest", "encode_request", "parse_answer"]

ANSWER_MAX_BYTES = 8_192

_STATUS_LINE = re.compile(r"SIP/2\.0 ([1-6][0-9]{2}) [^\r\n]*")
_HEADER = re.compile(r"([A-Za-z0-9.!%*_+`'~-]{1,64})[ \t]*:[ \t]*(.*?)[ \t]*")
_SHORT_NAMES = {"v": "via", "f": "from", "t": "to", "i": "call-id", "l": "content-length"}
_LINE_BREAK = re.compile(r"[\r\n\0]")


@dataclass(frozen=True, slots=True)
class SipRequest:
    """One request outside of a dialog.

    Attributes:
        method: Such as ``INVITE``.
        uri: Where it goes, such as ``sip:7000@127.0.0.1:5060``.
        user: User name in From.
        local: Our address and port, as in a URI.
        call_id: Names the call.
        tag: Names our end of it.
        branch: Names the transaction; starts with ``z9hG4bK``.
        sequence: CSeq number.
        headers: More headers, by name.
        body: SDP, or empty.
        to_tag: The other end's tag, once it said one.
    """

    method: str
    uri: str
    user: str
    local: str
    call_id: str
    tag: str
    branch: str
    sequence: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    to_tag: str | None = None

    def about(self, method: str, *, to_tag: str | None = None) -> "SipRequest":
        """Return the ACK of a refusal, or the CANCEL: the same transaction under another method."""
        return replace(self, method=method, to_tag=to_tag, headers={}, body="")


@dataclass(frozen=True, slots=True)
class SipAnswer:
    """One response.

    Attributes:
        status: Status code, 100 to 699.
        headers: By name in small letters; the first of several.
    """

    status: int
    headers: Mapping[str, str]

    @property
    def is_final(self) -> bool:
        """Whether nothing comes after it."""
        return self.status >= 200

    @property
    def to_tag(self) -> str | None:
        """The other end's tag."""
        found = re.search(r";\s*tag=([A-Za-z0-9.!%*_+`'~-]{1,128})", self.headers["to"])
        return found[1] if found else None

    def answers(self, request: SipRequest) -> bool:
        """Return whether it belongs to ``request``."""
        method = self.headers["cseq"].split()[-1:]
        return f"branch={request.branch}" in self.headers["via"] and method == [request.method]


def encode_request(request: SipRequest) -> bytes:
    """Return the request as it goes on the wire.

    Raises:
        ValueError: If a field would start another line.
    """
    to_tag = "" if request.to_tag is None else f";tag={request.to_tag}"
    lines = [
        f"{request.method} {request.uri} SIP/2.0",
        f"Via: SIP/2.0/UDP {request.local};rport;branch={request.branch}",
        "Max-Forwards: 70",
        f"From: <sip:{request.user}@{request.local}>;tag={request.tag}",
        f"To: <{request.uri}>{to_tag}",
        f"Call-ID: {request.call_id}",
        f"CSeq: {request.sequence} {request.method}",
        f"Contact: <sip:{request.user}@{request.local}>",
        *(f"{name}: {value}" for name, value in request.headers.items()),
        *(["Content-Type: application/sdp"] if request.body else []),
        f"Content-Length: {len(request.body.encode())}",
    ]
    if any(_LINE_BREAK.search(line) for line in lines):
        raise ValueError("a SIP header holds a line break")
    return "\r\n".join([*lines, "", request.body]).encode()


def parse_answer(packet: bytes) -> SipAnswer:
    """Return the response in a packet; its body is left out.

    Raises:
        ProtocolError: If it is no response, too long, or lacks Via, To or CSeq.
    """
    if len(packet) > ANSWER_MAX_BYTES:
        raise ProtocolError(f"a SIP message has {len(packet)} bytes")
    try:
        head = packet.decode("utf-8").partition("\r\n\r\n")[0]
    except UnicodeDecodeError:
        raise ProtocolError("a SIP message is not UTF-8") from None
    first, *lines = head.split("\r\n")
    status = _STATUS_LINE.fullmatch(first)
    if status is None:
        raise ProtocolError("a packet is not a SIP response")
    headers: dict[str, str] = {}
    for line in lines:
        found = _HEADER.fullmatch(line)
        if found is None:
            raise ProtocolError("a SIP response has a line that is no header")
        name = found[1].lower()
        headers.setdefault(_SHORT_NAMES.get(name, name), found[2])
    if missing := {"via", "to", "cseq"} - headers.keys():
        raise ProtocolError(f"a SIP response lacks {', '.join(sorted(missing))}")
    return SipAnswer(int(status[1]), headers)
