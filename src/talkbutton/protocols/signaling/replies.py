"""What the edge says on the signaling socket.

Source: docs/reference/signaling.md.
"""

from collections.abc import Mapping
from typing import Any, cast, get_args

from talkbutton.protocols.signaling.causes import (
    ERROR_DETAILS,
    EndCause,
    ErrorCode,
    close_code,
    describe_cause,
)

__all__ = [
    "encode_answer",
    "encode_caption",
    "encode_ended",
    "encode_ending_soon",
    "encode_error",
    "encode_ready",
    "encode_ringing",
]

_CAPTION_MAX_CHARACTERS = 4_000
_ID_MAX_CHARACTERS = 64

Reply = dict[str, Any]


def encode_ready(call_id: str) -> Reply:
    """Return the message that the grant was good: the offer may come."""
    return {"type": "ready", "call_id": call_id}


def encode_ringing() -> Reply:
    """Return the message that the far end rings."""
    return {"type": "ringing"}


def encode_answer(sdp: str) -> Reply:
    """Return the message with the answer; it holds the gateway's candidates."""
    return {"type": "answer", "sdp": sdp}


def encode_caption(caption: Mapping[str, Any]) -> Reply | None:
    """Return the message with a caption; None if ``caption`` is not one."""
    match caption:
        case {
            "speaker": "visitor" | "bot" as speaker,
            "utterance_id": str(utterance_id),
            "text": str(text),
            "final": bool(is_final),
        } if len(text) <= _CAPTION_MAX_CHARACTERS and len(utterance_id) <= _ID_MAX_CHARACTERS:
            return {
                "type": "caption",
                "speaker": speaker,
                "utterance_id": utterance_id,
                "text": text,
                "final": is_final,
            }
        case _:
            return None


def encode_ending_soon(left_s: int) -> Reply:
    """Return the message that the call will reach its longest duration in ``left_s`` seconds."""
    return {"type": "ending_soon", "left_s": left_s}


def encode_ended(cause: EndCause) -> Reply:
    """Return the message that the call is over, and why."""
    return {"type": "ended", "cause": cause, "detail": describe_cause(cause)}


def encode_error(code: str, detail: str | None = None) -> tuple[Reply, int]:
    """Return the message that the session is refused, and the close code that follows it.

    Args:
        code: An ``ErrorCode``, or the code of a refused grant.
        detail: The sentence for the visitor; needed where ``code`` is not an ``ErrorCode``.
    """
    if detail is None:
        assert code in get_args(ErrorCode), code
        detail = ERROR_DETAILS[cast("ErrorCode", code)]
    return {"type": "error", "code": code, "detail": detail}, close_code(code)
