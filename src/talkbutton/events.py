"""What happened to a call, as values: the way of the facts starts here.

Source: docs/reference/events.md lists every name.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

__all__ = ["SCHEMA_VERSION", "CallEvent", "Leg", "Scalar", "to_json_line", "without_pii"]

SCHEMA_VERSION = 1

Scalar = str | int | float | bool | None
Leg = Literal["browser", "edge", "janus", "turn", "asterisk", "bridge", "bot", "operator"]


@dataclass(frozen=True, slots=True)
class CallEvent:
    """Something that happened to a call; past tense, immutable, append-only.

    Attributes:
        at_unix: Wall-clock Unix seconds, stamped by the program that saw it.
        call_id: The call it belongs to.
        program: The program that wrote it, such as ``edge``.
        seq: 0, 1, 2, ... within the call and program; a gap means events were lost.
        name: ``<subject>.<past participle>``, listed in ``docs/reference/events.md``.
        leg: The hop that saw it.
        data: Flat scalars; units in the key; personal data only under ``pii.*``.
    """

    at_unix: float
    call_id: str
    program: str
    seq: int
    name: str
    leg: Leg
    data: Mapping[str, Scalar] = field(default_factory=dict)


def without_pii(data: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Return ``data`` without the values under a key that has a whole ``pii`` segment."""
    return {key: value for key, value in data.items() if "pii" not in key.split(".")}


def to_json_line(event: CallEvent) -> str:
    """Encode as one JSON object without a newline; fixed keys first, personal data left out."""
    stamp = datetime.fromtimestamp(event.at_unix, UTC).isoformat(timespec="milliseconds")
    return json.dumps(
        {
            "v": SCHEMA_VERSION,
            "ts": stamp,
            "call_id": event.call_id,
            "program": event.program,
            "seq": event.seq,
            "event": event.name,
            "leg": event.leg,
            **without_pii(event.data),
        },
        separators=(",", ":"),
        ensure_ascii=False,
    )
