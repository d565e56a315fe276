"""Why calls end, and how the visitor is told.

Source: docs/reference/signaling.md lists every cause and error code.
"""

from typing import Literal, get_args

__all__ = [
    "ERROR_DETAILS",
    "EndCause",
    "ErrorCode",
    "as_end_cause",
    "cause_of_hang_up",
    "cause_of_loss",
    "close_code",
    "describe_cause",
]

EndCause = Literal[
    "visitor_hung_up",
    "bot_hung_up",
    "operator_hung_up",
    "duration_limit",
    "gateway_unavailable",
    "line_unavailable",
    "bot_unavailable",
    "media_lost",
    "no_answer",
    "internal",
]

ErrorCode = Literal["message_invalid", "offer_invalid", "too_many_messages", "too_slow", "timeout"]

_DETAILS: dict[EndCause, str] = {
    "visitor_hung_up": "You ended the call.",
    "bot_hung_up": "The assistant ended the call.",
    "operator_hung_up": "The call was ended by the operator.",
    "duration_limit": "The call has reached its longest duration.",
    "gateway_unavailable": "Voice calls are not available right now. Please try again soon.",
    "line_unavailable": "The phone line is not available right now. Please try again soon.",
    "bot_unavailable": "The voice assistant is not available right now. Please try again soon.",
    "media_lost": "The connection was lost. Please check your network and try again.",
    "no_answer": "Nobody answered the call. Please try again soon.",
    "internal": "Something went wrong on our side. Please try again.",
}

ERROR_DETAILS: dict[ErrorCode, str] = {
    "message_invalid": "The page sent something that is not part of a call.",
    "offer_invalid": "The browser's offer is not one for a voice call.",
    "too_many_messages": "The page sent too many messages.",
    "too_slow": "The page took too long to read its messages.",
    "timeout": "The page took too long to start the call.",
}

_CLOSE_CODES: dict[str, int] = {
    "message_invalid": 4002,
    "offer_invalid": 4003,
    "too_many_messages": 4008,
    "too_slow": 4009,
    "timeout": 4009,
}
_CLOSE_GRANT = 4001

_SIP_CAUSES: dict[int, EndCause] = {
    401: "line_unavailable",
    403: "line_unavailable",
    404: "bot_unavailable",
    407: "line_unavailable",
    408: "line_unavailable",
    480: "bot_unavailable",
    486: "bot_unavailable",
    487: "no_answer",
    503: "bot_unavailable",
}

_LOSS_CAUSES: dict[str, EndCause] = {
    "media.peer_closed": "visitor_hung_up",
    "sip.answer_without_sdp": "internal",
}
_LOSS_SUBJECTS: dict[str, EndCause] = {
    "media": "media_lost",
    "sip": "line_unavailable",
    "janus": "gateway_unavailable",
}


def describe_cause(cause: EndCause) -> str:
    """Return a plain sentence for the visitor."""
    return _DETAILS[cause]


def as_end_cause(text: object) -> EndCause:
    """Return ``text`` if it is a known cause, else ``internal``."""
    for cause in get_args(EndCause):
        if cause == text:
            return cause  # type: ignore[no-any-return]
    return "internal"


def close_code(error_code: str) -> int:
    """Return the WebSocket close code that goes with an error; refused grants share one."""
    return _CLOSE_CODES.get(error_code, _CLOSE_GRANT)


def cause_of_hang_up(sip_code: int | None, *, was_answered: bool, is_line_ready: bool) -> EndCause:
    """Return why the far end hung up, where it did not say so itself.

    Args:
        sip_code: The final SIP status; None or a 2xx code for a plain BYE.
        was_answered: Whether the call had been answered. A bridge that is well says why it hangs
            up, so an answered call without a reason has lost its bridge.
        is_line_ready: Whether the phone system is known to work. A SIP stack makes up a 503 of its
            own where nobody listens; this tells it from the 503 of a dialplan without a bot.
    """
    if not is_line_ready:
        return "line_unavailable"
    if was_answered or sip_code is None or sip_code < 300:
        return "bot_unavailable"
    if sip_code in _SIP_CAUSES:
        return _SIP_CAUSES[sip_code]
    if sip_code >= 600:
        return "bot_unavailable"
    return "line_unavailable" if sip_code >= 500 else "internal"


def cause_of_loss(loss: str) -> EndCause:
    """Return why a call was lost, from the gateway's name for the loss."""
    if loss in _LOSS_CAUSES:
        return _LOSS_CAUSES[loss]
    subject = loss.partition(".")[0]
    return _LOSS_SUBJECTS.get(subject, "internal")
