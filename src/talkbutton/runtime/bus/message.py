"""One message on the bus, and its form on the wire.

Topics (docs/reference/bus.md): ``caption`` and ``call.ending`` from the bridge to the edge,
``call.hang_up`` from the edge to the bridge, ``bridge.status`` and ``keeper.identity`` as
heartbeats once a second.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from talkbutton.errors import ProtocolError

__all__ = ["MESSAGE_MAX_BYTES", "BusMessage", "Json", "decode_message", "encode_message"]

MESSAGE_MAX_BYTES = 16_384
"""Longest encoded message."""

Json = Any
"""A value that ``json`` can write."""


@dataclass(frozen=True, slots=True)
class BusMessage:
    """Something one program tells the others, now or never.

    Attributes:
        topic: What it is about, such as ``caption``.
        call_id: The call it belongs to; None for a program's own news.
        data: Its content.
    """

    topic: str
    call_id: str | None = None
    data: Mapping[str, Json] = field(default_factory=dict)


def encode_message(message: BusMessage) -> bytes:
    """Encode for the wire.

    Raises:
        ValueError: If the encoded message is longer than ``MESSAGE_MAX_BYTES``.
    """
    encoded = json.dumps(
        [message.topic, message.call_id, dict(message.data)],
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode()
    if len(encoded) > MESSAGE_MAX_BYTES:
        raise ValueError(f"bus message {message.topic} has {len(encoded)} bytes")
    return encoded


def decode_message(encoded: bytes) -> BusMessage:
    """Decode from the wire.

    Raises:
        ProtocolError: If it is not a bus message.
    """
    try:
        decoded = json.loads(encoded)
    except (ValueError, RecursionError) as exc:
        raise ProtocolError("a bus message is not JSON") from exc
    match decoded:
        case [str(topic), str() | None as call_id, dict(data)]:
            return BusMessage(topic, call_id, data)
        case _:
            raise ProtocolError("a bus message has the wrong form")
