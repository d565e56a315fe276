"""Reads what Janus sends. What is not understood is refused; what is not needed is named.

Source: see ``messages``.
"""

import json
from typing import Any

from talkbutton.errors import ProtocolError
from talkbutton.protocols.janus.messages import (
    Ack,
    Failure,
    HandleDetached,
    Media,
    Message,
    OtherMessage,
    PluginEvent,
    SessionTimedOut,
    SipAccepted,
    SipCalling,
    SipEvent,
    SipFailed,
    SipHungUp,
    SipIncomingCall,
    SipOther,
    SipProceeding,
    SipProgress,
    SipRegistered,
    SipRinging,
    SlowLink,
    Success,
    WebRtcDown,
    WebRtcUp,
)

__all__ = ["parse_message"]

_REASON_MAX_CHARS = 200
_ID_MAX = (1 << 53) - 1

_PLAIN_SIP_EVENTS: dict[str, SipEvent] = {
    "calling": SipCalling(),
    "proceeding": SipProceeding(),
    "ringing": SipRinging(),
    "progress": SipProgress(),
    "accepted": SipAccepted(),
    "incomingcall": SipIncomingCall(),
}


def parse_message(text: str) -> Message:
    """Return the message that ``text`` holds.

    Raises:
        ProtocolError: If it is not a message that Janus may send.
    """
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        raise ProtocolError("Janus sent what is not JSON") from None
    match fields:
        case {"janus": "event"}:
            return _parse_event(fields)
        case {"janus": "ack" | "success" | "error"}:
            return _parse_reply(fields)
        case {"janus": "timeout"}:
            session_id = fields.get("session_id")
            return SessionTimedOut(None if session_id is None else _id(session_id))
        case {"janus": "detached" | "webrtcup" | "hangup" | "media" | "slowlink"}:
            return _parse_notice(fields)
        case {"janus": str(name)}:
            return OtherMessage(name[:_REASON_MAX_CHARS])
        case _:
            raise ProtocolError("Janus sent JSON without a message type")


def _parse_reply(fields: dict[str, Any]) -> Message:
    match fields:
        case {"janus": "ack", "transaction": str(transaction)}:
            return Ack(transaction)
        case {"janus": "success", "transaction": str(transaction), "data": {"id": new_id}}:
            return Success(transaction, _id(new_id))
        case {"janus": "success", "transaction": str(transaction)}:
            return Success(transaction, None)
        case {"janus": "error", "error": {"code": int(code), "reason": str(reason)}}:
            return Failure(_transaction(fields), code, reason[:_REASON_MAX_CHARS])
        case _:
            raise _malformed(fields)


def _parse_notice(fields: dict[str, Any]) -> Message:
    sender = _id(fields.get("sender"))
    match fields:
        case {"janus": "detached"}:
            return HandleDetached(sender)
        case {"janus": "webrtcup"}:
            return WebRtcUp(sender)
        case {"janus": "hangup"}:
            return WebRtcDown(sender, _text(fields.get("reason")))
        case {"janus": "media", "receiving": bool(is_receiving)}:
            return Media(sender, is_receiving, _count(fields.get("seconds")))
        case {"janus": "slowlink", "uplink": bool(is_uplink)}:
            return SlowLink(sender, is_uplink, _count(fields.get("lost")))
        case _:
            raise _malformed(fields)


def _parse_event(fields: dict[str, Any]) -> PluginEvent:
    match fields:
        case {"plugindata": {"data": dict(content)}}:
            return PluginEvent(
                _id(fields.get("sender")),
                _transaction(fields),
                _parse_sip_event(content),
                _sdp(fields.get("jsep")),
            )
        case _:
            raise _malformed(fields)


def _parse_sip_event(content: dict[str, Any]) -> SipEvent:
    match content:
        case {"error_code": int(code)}:
            return SipFailed(code, _text(content.get("error")))
        case {"result": {"event": "registered"} as result}:
            master_id = result.get("master_id")
            return SipRegistered(None if master_id is None else _id(master_id))
        case {"result": {"event": "hangup"} as result}:
            return SipHungUp(_count(result.get("code")), _text(result.get("reason")))
        case {"result": {"event": str(name)}}:
            return _PLAIN_SIP_EVENTS.get(name, SipOther(name[:_REASON_MAX_CHARS]))
        case _:
            return SipOther("")


def _sdp(jsep: Any) -> str | None:
    match jsep:
        case None:
            return None
        case {"sdp": str(sdp)}:
            return sdp
        case _:
            raise ProtocolError("Janus sent a session description without SDP")


def _transaction(fields: dict[str, Any]) -> str | None:
    transaction = fields.get("transaction")
    return transaction if isinstance(transaction, str) else None


def _id(found: Any) -> int:
    if isinstance(found, bool) or not isinstance(found, int) or not 0 < found <= _ID_MAX:
        raise ProtocolError("Janus sent an id that is not one")
    return found


def _count(found: Any) -> int | None:
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        return None
    return found


def _text(found: Any) -> str:
    return found[:_REASON_MAX_CHARS] if isinstance(found, str) else ""


def _malformed(fields: dict[str, Any]) -> ProtocolError:
    return ProtocolError(f"Janus sent a malformed {str(fields.get('janus'))[:20]!r} message")
