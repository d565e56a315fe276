"""Turns requests and replies into frames and back; what comes back is checked first."""

import math
import struct
from typing import Any, get_args

from talkbutton.errors import ProtocolError
from talkbutton.protocols.speech.messages import (
    WINDOW_BYTES,
    Cancel,
    Detect,
    Detected,
    Embed,
    Embedded,
    Failed,
    FailureCode,
    Forget,
    Probe,
    Ready,
    Reply,
    Request,
    Speak,
    Spoken,
    Transcribe,
    Transcribed,
)
from talkbutton.protocols.speech.wire import SpeechFrame

__all__ = ["encode_reply", "encode_request", "parse_reply", "parse_request"]

_SAMPLE_BYTES = 2
_FLOAT_BYTES = 4
_ID_MAX = (1 << 53) - 1


def encode_request(request: Request) -> SpeechFrame:
    """Return the frame for a request."""
    match request:
        case Probe(request_id):
            return SpeechFrame({"kind": "probe", "id": request_id})
        case Detect(request_id, calls, windows):
            header = {"kind": "detect", "id": request_id, "calls": list(calls)}
            return SpeechFrame(header, windows)
        case Forget(calls):
            return SpeechFrame({"kind": "forget", "calls": list(calls)})
        case Transcribe(request_id, deadline_ms, pcm):
            header = {"kind": "transcribe", "id": request_id, "deadline_ms": deadline_ms}
            return SpeechFrame(header, pcm)
        case Speak(request_id, deadline_ms, text, is_background):
            return SpeechFrame(
                {
                    "kind": "speak",
                    "id": request_id,
                    "deadline_ms": deadline_ms,
                    "text": text,
                    "background": is_background,
                }
            )
        case Embed(request_id, texts):
            return SpeechFrame({"kind": "embed", "id": request_id, "texts": list(texts)})
        case Cancel(request_id):
            return SpeechFrame({"kind": "cancel", "id": request_id})


def parse_request(frame: SpeechFrame) -> Request:
    """Return the request that a frame holds.

    Raises:
        ProtocolError: If it is none.
    """
    match frame.header:
        case {"kind": "probe", "id": id_}:
            return Probe(_id(id_))
        case {"kind": "detect", "id": id_, "calls": list(calls)}:
            return _detect(_id(id_), _texts(calls), frame.payload)
        case {"kind": "forget", "calls": list(calls)}:
            return Forget(_texts(calls))
        case {"kind": "transcribe", "id": id_, "deadline_ms": int(deadline_ms)}:
            return Transcribe(_id(id_), _deadline(deadline_ms), _pcm(frame.payload))
        case {
            "kind": "speak",
            "id": id_,
            "deadline_ms": int(deadline_ms),
            "text": str(text),
            "background": bool(is_background),
        }:
            return Speak(_id(id_), _deadline(deadline_ms), text, is_background)
        case {"kind": "embed", "id": id_, "texts": list(texts)}:
            return Embed(_id(id_), _texts(texts))
        case {"kind": "cancel", "id": id_}:
            return Cancel(_id(id_))
        case _:
            raise ProtocolError("a speech request has the wrong form")


def encode_reply(reply: Reply) -> SpeechFrame:
    """Return the frame for a reply."""
    match reply:
        case Ready(request_id, part, model):
            header = {"kind": "ready", "id": request_id, "part": part, "model": model}
            return SpeechFrame(header)
        case Detected(request_id, probabilities):
            payload = struct.pack(f"<{len(probabilities)}f", *probabilities)
            return SpeechFrame({"kind": "detected", "id": request_id}, payload)
        case Transcribed(request_id, text, log_probability, took_ms):
            return SpeechFrame(
                {
                    "kind": "transcribed",
                    "id": request_id,
                    "text": text,
                    "log_probability": log_probability,
                    "took_ms": took_ms,
                }
            )
        case Spoken(request_id, is_last, pcm):
            return SpeechFrame({"kind": "spoken", "id": request_id, "last": is_last}, pcm)
        case Embedded(request_id, dimensions, vectors):
            header = {"kind": "embedded", "id": request_id, "dimensions": dimensions}
            return SpeechFrame(header, vectors)
        case Failed(request_id, code, detail):
            header = {"kind": "failed", "id": request_id, "code": code, "detail": detail}
            return SpeechFrame(header)


def parse_reply(frame: SpeechFrame) -> Reply:
    """Return the reply that a frame holds.

    Raises:
        ProtocolError: If it is none.
    """
    match frame.header:
        case {"kind": "ready", "id": id_, "part": str(part), "model": str(model)}:
            return Ready(_id(id_), part, model)
        case {"kind": "detected", "id": id_}:
            return Detected(_id(id_), _probabilities(frame.payload))
        case {
            "kind": "transcribed",
            "id": id_,
            "text": str(text),
            "log_probability": int() | float() as log_probability,
            "took_ms": int(took_ms),
        }:
            return Transcribed(_id(id_), text, _finite(log_probability), took_ms)
        case {"kind": "spoken", "id": id_, "last": bool(is_last)}:
            return Spoken(_id(id_), is_last, _pcm(frame.payload))
        case {"kind": "embedded", "id": id_, "dimensions": int(dimensions)}:
            return _embedded(_id(id_), dimensions, frame.payload)
        case {"kind": "failed", "id": id_, "code": str(code), "detail": str(detail)}:
            return Failed(_id(id_), _failure_code(code), detail)
        case _:
            raise ProtocolError("a speech reply has the wrong form")


def _detect(request_id: int, calls: tuple[str, ...], windows: bytes) -> Detect:
    if len(windows) != len(calls) * WINDOW_BYTES or len(set(calls)) != len(calls):
        raise ProtocolError(f"{len(calls)} calls and {len(windows)} bytes of windows do not match")
    return Detect(request_id, calls, windows)


def _embedded(request_id: int, dimensions: int, vectors: bytes) -> Embedded:
    if dimensions < 1 or len(vectors) % (dimensions * _FLOAT_BYTES):
        raise ProtocolError(f"{len(vectors)} bytes are no vectors of {dimensions} numbers")
    return Embedded(request_id, dimensions, vectors)


def _id(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _ID_MAX:
        raise ProtocolError("a speech message has no proper id")
    return value


def _deadline(deadline_ms: int) -> int:
    if isinstance(deadline_ms, bool) or not 0 < deadline_ms <= _ID_MAX:
        raise ProtocolError("a speech request has no proper deadline")
    return deadline_ms


def _texts(values: list[Any]) -> tuple[str, ...]:
    if not all(isinstance(value, str) for value in values):
        raise ProtocolError("a speech message has something else than text in a list of texts")
    return tuple(values)


def _pcm(payload: bytes) -> bytes:
    if len(payload) % _SAMPLE_BYTES:
        raise ProtocolError("PCM has half a sample")
    return payload


def _finite(number: float) -> float:
    try:
        value = float(number)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise ProtocolError("a speech message has a number without an end")
    return value


def _probabilities(payload: bytes) -> tuple[float, ...]:
    if len(payload) % _FLOAT_BYTES:
        raise ProtocolError("a list of probabilities is cut off")
    probabilities = struct.unpack(f"<{len(payload) // _FLOAT_BYTES}f", payload)
    if not all(0.0 <= probability <= 1.0 for probability in probabilities):
        raise ProtocolError("a probability is not between 0 and 1")
    return probabilities


def _failure_code(code: str) -> FailureCode:
    for known in get_args(FailureCode):
        if code == known:
            return known  # type: ignore[no-any-return]  # get_args forgets the literal type
    raise ProtocolError(f"a speech reply fails for an unknown reason: {code!r}")
