"""What coturn's log says about the allocations of a call, as values.

A username is ``<expiry>:<call id>``; lines of other users, and lines about anything else, say
nothing. coturn writes the username of a request before it has checked the password, so a refusal
with 401 is hearsay: anybody can cause one with any name.

    allocation new      -> turn.allocated
    error 4xx           -> turn.refused     each code once for an allocation or an attempt
    usage, peer usage   -> added up
    allocation delete   -> turn.closed

Source: ``src/server/ns_turn_server.c`` and ``src/apps/relay/ns_ioalib_engine_impl.c`` of coturn
4.18, with ``verbose`` on.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from talkbutton.events import Scalar
from talkbutton.ids import is_call_id

__all__ = ["SESSIONS_MAX", "TurnFact", "TurnLog"]

SESSIONS_MAX = 20_000
"""Sessions that are remembered. coturn itself serves half as many."""

_LINE_MAX_CHARACTERS = 1_000
_UNAUTHORIZED = 401
_STALE_NONCE = 438

_LINE = re.compile(
    r"\S+ (?:INFO|ERROR|WARNING) (?P<text>.*) \(session (?P<session>[0-9]{18,20})\)\s*"
)
_USER = r"username=<[0-9]{1,12}:(?P<user>[^<>]*)>"
_NEW = re.compile(rf"allocation new, realm=<[^<>]*>, {_USER}, lifetime=[0-9]+(?P<tls>, cipher=.*)?")
_REFRESHED = re.compile(rf"allocation refreshed, realm=<[^<>]*>, {_USER}, lifetime=0(?:, .*)?")
_DELETED = re.compile(rf"allocation delete: realm=<[^<>]*>, {_USER}")
_USAGE = re.compile(
    rf"(?P<peer>peer )?usage: realm=<[^<>]*>, {_USER}, "
    r"rp=[0-9]+, rb=(?P<received>[0-9]+), sp=[0-9]+, sb=(?P<sent>[0-9]+)"
)
_REFUSED = re.compile(
    r"realm <[^<>]*> user <[0-9]{1,12}:(?P<user>[^<>]*)>: "
    r"incoming packet (?P<request>[A-Za-z_]{1,30}) processed, error (?P<code>[0-9]{3}): "
    r"(?P<reason>[^<>()]{1,100})"
)
_CLOSED = re.compile(
    r"closed \((?:1st|2nd) stage\), user <[0-9]{1,12}:(?P<user>[^<>]*)> realm <[^<>]*> .*"
    r"reason: (?P<reason>.{1,100})"
)


@dataclass(frozen=True, slots=True)
class TurnFact:
    """Something that happened to a call's allocation.

    Attributes:
        call_id: The call, out of the username.
        name: ``turn.allocated`` ``turn.refused`` ``turn.closed``.
        is_proven: Whether the password was right: otherwise anybody may have used the name.
        data: Measures of the event.
    """

    call_id: str
    name: str
    is_proven: bool
    data: Mapping[str, Scalar]


@dataclass(slots=True)
class _Session:
    has_allocation: bool = False
    is_given_back: bool = False
    reason: str = ""
    refused: set[int] = field(default_factory=set)
    visitor_bytes: int = 0
    peer_bytes: int = 0


class TurnLog:
    """Reads one coturn's log, line by line."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, _Session] = OrderedDict()

    def read(self, line: str) -> TurnFact | None:
        """Return what a line tells about a call, if anything. Any text is a line."""
        found = _LINE.fullmatch(line) if len(line) <= _LINE_MAX_CHARACTERS else None
        if found is None:
            return None
        text, session = found["text"], found["session"]
        for pattern, take in (
            (_NEW, self._take_new),
            (_REFUSED, self._take_refused),
            (_USAGE, self._take_usage),
            (_REFRESHED, self._take_given_back),
            (_CLOSED, self._take_closed),
            (_DELETED, self._take_deleted),
        ):
            match = pattern.fullmatch(text)
            if match is not None:
                return take(session, match) if is_call_id(match["user"]) else None
        return None

    def _session(self, session: str) -> _Session:
        known = self._sessions.pop(session, None) or _Session()
        self._sessions[session] = known
        if len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)
        return known

    def _take_new(self, session: str, match: re.Match[str]) -> TurnFact:
        self._sessions.pop(session, None)  # coturn counts anew after a restart
        self._session(session).has_allocation = True
        data: dict[str, Scalar] = {"turn_session": session, "tls": match["tls"] is not None}
        return TurnFact(match["user"], "turn.allocated", is_proven=True, data=data)

    def _take_refused(self, session: str, match: re.Match[str]) -> TurnFact | None:
        code, known = int(match["code"]), self._session(session)
        if code == _STALE_NONCE or code in known.refused:
            return None
        known.refused.add(code)
        data: dict[str, Scalar] = {
            "turn_session": session,
            "stun_code": code,
            "reason": match["reason"],
        }
        return TurnFact(match["user"], "turn.refused", is_proven=code != _UNAUTHORIZED, data=data)

    def _take_usage(self, session: str, match: re.Match[str]) -> None:
        known = self._session(session)
        count = int(match["received"]) + int(match["sent"])
        if match["peer"]:
            known.peer_bytes += count
        else:
            known.visitor_bytes += count

    def _take_given_back(self, session: str, _: re.Match[str]) -> None:
        self._session(session).is_given_back = True

    def _take_closed(self, session: str, match: re.Match[str]) -> None:
        self._session(session).reason = match["reason"]

    def _take_deleted(self, session: str, match: re.Match[str]) -> TurnFact | None:
        known = self._sessions.pop(session, None)
        if known is None or not known.has_allocation:
            return None  # it was made before this log was read
        data: dict[str, Scalar] = {
            "turn_session": session,
            "reason": "given back" if known.is_given_back else known.reason,
            "visitor_bytes": known.visitor_bytes,
            "peer_bytes": known.peer_bytes,
        }
        return TurnFact(match["user"], "turn.closed", is_proven=True, data=data)
