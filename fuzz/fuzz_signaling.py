"""Feeds arbitrary messages and news to a signaling session.

Allowed outcomes: effects. The session never raises for what a visitor sends, ends once, and what
it wants recorded or sent is always JSON. Run it by itself for a number of seconds:

    python fuzz/fuzz_signaling.py 60
"""

import json
import random

from fuzzing import fuzz

from talkbutton.protocols import signaling
from talkbutton.protocols.signaling import Close, Effect, Input, Record, Send, VisitorSent

_SDP = "\r\n".join(
    [
        "v=0",
        "o=- 1 2 IN IP4 127.0.0.1",
        "s=-",
        "m=audio 9 UDP/TLS/RTP/SAVPF 0",
        "a=setup:actpass",
        "a=mid:0",
        "a=rtcp-mux",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:" + "p" * 24,
        "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
        "",
    ]
)
_CANDIDATE = "candidate:1 1 udp 2113937151 192.0.2.5 50000 typ host"
_MESSAGES = tuple(
    json.dumps(message).encode()
    for message in (
        {"type": "start", "token": "t"},
        {"type": "offer", "sdp": _SDP},
        {"type": "candidate", "candidate": _CANDIDATE, "sdpMid": "0", "sdpMLineIndex": 0},
        {"type": "candidate", "candidate": ""},
        {"type": "stats", "rtt_ms": 12.5, "codec": "audio/opus"},
        {"type": "state", "ice": "connected"},
        {"type": "bye", "reason": "hung_up"},
    )
)
_NEWS: tuple[Input, ...] = (
    signaling.GrantAccepted("0" * 32, 600),
    signaling.GrantDenied("grant_used", "Used."),
    signaling.CallPlaced({"janus_handle_id": 7}),
    signaling.CallNotPlaced("gateway_unavailable", "gone"),
    signaling.CallRinging(),
    signaling.CallAnswered("v=0"),
    signaling.CallConnected(),
    signaling.CallSilent(None),
    signaling.CallHungUp(486, "Busy Here"),
    signaling.CallLost("media.lost"),
    signaling.CaptionHeard({"speaker": "bot", "utterance_id": "u", "text": "t", "final": True}),
    signaling.EndingHeard("bot_hung_up"),
    signaling.SocketClosed(1006),
    signaling.ReaderTooSlow(),
)
_SEPARATOR = b"\x1e"  # neither JSON nor the number of a piece of news


SEEDS = (_SEPARATOR.join([_MESSAGES[0], b"\x00", _MESSAGES[1], b"\x02", *_MESSAGES[2:]]),)
"""What a coverage-guided run starts from."""


def check_one_input(fuzzed: bytes) -> None:
    """Play the pieces between separators: one byte is news or time, more is a message."""
    session = signaling.SignalingSession(now=0.0)
    now = 0.0
    closes = 0
    for piece in fuzzed.split(_SEPARATOR):
        effects: list[Effect]
        if len(piece) == 1 and piece[0] >= len(_NEWS):
            now += piece[0] / 20
            effects = session.handle_timeout(now=now)
        elif len(piece) == 1:
            effects = session.receive(_NEWS[piece[0]], now=now)
        else:
            message = VisitorSent(piece.decode("utf-8", "surrogateescape"))
            effects = session.receive(message, now=now)
        assert not (closes and effects), effects
        closes += sum(isinstance(effect, Close) for effect in effects)
        for effect in effects:
            _check_effect(effect)
    assert closes <= 1


def _check_effect(effect: Effect) -> None:
    match effect:
        case Send(message):
            json.dumps(message, allow_nan=False).encode()
        case Record(_, _, measures):
            text = json.dumps(dict(measures), allow_nan=False, ensure_ascii=False)
            text.encode()
        case _:
            return


def _mutate(source: random.Random) -> bytes:
    """Return a likely call with messages and news changed, inserted or left out."""
    pieces: list[bytes] = [_MESSAGES[0], b"\x00", _MESSAGES[1], b"\x02", b"\x04", b"\x05"]
    del pieces[source.randrange(len(pieces) + 1) :]
    for _ in range(source.randrange(8)):
        piece = bytearray(source.choice((*_MESSAGES, source.randbytes(1))))
        if source.random() < 0.5:
            at = source.randrange(len(piece))
            piece[at : at + source.randrange(9)] = source.randbytes(source.choice((0, 1, 3, 40)))
        pieces.insert(source.randrange(len(pieces) + 1), bytes(piece))
    return _SEPARATOR.join(pieces)


if __name__ == "__main__":
    fuzz(check_one_input, _mutate)
