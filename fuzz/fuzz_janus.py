"""Fuzzes what Janus sends: the parser, then the session and a call behind it.

Whatever comes, the parser returns a message or raises ``ProtocolError``, and the machines return
effects; anything else is a find.

    python fuzz/fuzz_janus.py 60
"""

import copy
import json
import random
from itertools import count
from typing import Any

from fuzzing import fuzz

from talkbutton.errors import ProtocolError
from talkbutton.protocols.janus import CallPlan, JanusSession, SipCall, parse_message

SEEDS: list[dict[str, Any]] = [
    {"janus": "success", "transaction": "t1", "data": {"id": 7}},
    {"janus": "success", "transaction": "t2", "data": {"id": 9}},
    {"janus": "ack", "session_id": 7, "transaction": "t3"},
    {"janus": "error", "transaction": "t3", "error": {"code": 458, "reason": "No such session"}},
    {"janus": "timeout", "session_id": 7},
    {"janus": "webrtcup", "session_id": 7, "sender": 9},
    {"janus": "hangup", "session_id": 7, "sender": 9, "reason": "ICE failed"},
    {"janus": "detached", "session_id": 7, "sender": 9},
    {"janus": "media", "sender": 9, "type": "audio", "receiving": False, "seconds": 2},
    {"janus": "slowlink", "sender": 9, "media": "audio", "uplink": True, "lost": 12},
    *(
        {
            "janus": "event",
            "session_id": 7,
            "sender": 9,
            "transaction": "t3",
            "plugindata": {"plugin": "janus.plugin.sip", "data": {"sip": "event", **data}},
            "jsep": {"type": "answer", "sdp": "v=0\r\n"},
        }
        for data in (
            {"result": {"event": "registered", "master_id": 5}},
            {"result": {"event": "calling"}},
            {"result": {"event": "proceeding", "code": 183}},
            {"result": {"event": "ringing"}},
            {"result": {"event": "accepted"}},
            {"result": {"event": "hangup", "code": 487, "reason": "x"}},
            {"error_code": 453, "error": "No such master session"},
        )
    ),
]

_STRANGE: list[Any] = [None, True, -1, 0, 1 << 60, 1.5, "", "x" * 300, [], {}, [[]], {"id": 9}]
_BYTES = b'{}[]":,0-e\\u\x00\xff'


def fuzz_text(text: str) -> None:
    """Parse one text; only ``ProtocolError`` may come of it."""
    try:
        parse_message(text)
    except ProtocolError:
        return


def fuzz_machines(texts: list[str], *, now_step_s: float) -> None:
    """Give the parsed texts to a session with a call on it."""
    ids = count(1)
    session = JanusSession(new_transaction=lambda: f"t{next(ids)}")
    session.start(now=0.0)
    session.receive(parse_message(json.dumps(SEEDS[0])), now=0.0)
    call = SipCall(CallPlan("c1", "sip:7000@a", {}, 5, "sip:talkbutton@a", "v=0"))
    session.add("c1", call, now=0.0)
    for n, text in enumerate(texts):
        now = n * now_step_s
        try:
            session.receive(parse_message(text), now=now)
        except ProtocolError:
            continue
        session.handle_timeout(now=now)


def mutated(rng: random.Random) -> str:
    """Return one of the seeds, with a few things wrong."""
    fields = json.loads(json.dumps(rng.choice(SEEDS)))
    for _ in range(rng.randrange(3)):
        inner = fields
        while rng.random() < 0.5 and (deeper := [v for v in inner.values() if isinstance(v, dict)]):
            inner = rng.choice(deeper)
        key = rng.choice([*inner, "janus", "sender", "result"])
        inner[key] = copy.deepcopy(rng.choice(_STRANGE))
    text = bytearray(json.dumps(fields).encode())
    for _ in range(rng.choice([0, 0, 0, 1, 3])):
        text[rng.randrange(len(text))] = rng.choice(_BYTES)
    return text.decode(errors="replace")


def check_one_input(conversation: tuple[list[str], float]) -> None:
    """Feed one conversation to the parser and to the machines."""
    texts, now_step_s = conversation
    for text in texts:
        fuzz_text(text)
    fuzz_machines(texts, now_step_s=now_step_s)


def _mutate(source: random.Random) -> tuple[list[str], float]:
    texts = [mutated(source) for _ in range(source.randrange(1, 30))]
    return texts, source.choice([0.1, 2.0, 40.0])


if __name__ == "__main__":
    fuzz(check_one_input, _mutate)
