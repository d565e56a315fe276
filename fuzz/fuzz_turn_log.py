"""Fuzzes coturn's log, in which strangers choose names.

Whatever a line holds, it tells nothing or something about a call id; and a name never passes for
a line of another kind.

    python fuzz/fuzz_turn_log.py 60
"""

import random

from fuzzing import fuzz

from talkbutton.ids import is_call_id
from talkbutton.protocols.turn import TurnLog

_CALL = "0193abcdef01" + "5" * 20
_VICTIM = "0193abcdef01" + "9" * 20
_HEAD = "2026-11-24T11:31:25.766+0000 INFO "
_TAIL = " (session 001000000000000002)"
_USER = "username=<1795519940:{name}>"
_TEXTS = (
    f"allocation new, realm=<talkbutton>, {_USER}, lifetime=600",
    f"allocation new, realm=<talkbutton>, {_USER}, lifetime=600, cipher=X, method=TLSv1.3",
    f"allocation refreshed, realm=<talkbutton>, {_USER}, lifetime=0",
    f"usage: realm=<talkbutton>, {_USER}, rp=1, rb=1000, sp=4, sb=20",
    f"peer usage: realm=<talkbutton>, {_USER}, rp=0, rb=300, sp=9, sb=4000",
    "closed (2nd stage), user <1:{name}> realm <t> origin <>, local 1, remote 1, reason: timeout",
    f"allocation delete: realm=<talkbutton>, {_USER}",
    "realm <talkbutton> user <1:{name}>: incoming packet ALLOCATE processed, error 486: Quota",
)
_FORGED = (
    _CALL,
    "",
    "%s%n",
    f"x>, lifetime=600 (session 000000000000000001) username=<1:{_VICTIM}",
    *(text.format(name=_VICTIM) for text in _TEXTS),
    *(f"x> {_HEAD}{text.format(name=_VICTIM)}{_TAIL}" for text in _TEXTS),
)


def check_one_input(lines: list[str]) -> None:
    """Raise only if the parser is wrong."""
    log = TurnLog()
    for line in lines:
        fact = log.read(line)
        if fact is not None:
            assert is_call_id(fact.call_id), fact
            assert fact.call_id != _VICTIM, fact


def _mutate(source: random.Random) -> list[str]:
    """Return lines as coturn writes them, with names that are not the victim's own."""
    return [_line(source) for _ in range(source.randrange(1, 9))]


def _line(source: random.Random) -> str:
    name = source.choice(_FORGED)
    if source.random() < 0.5:
        pieces = [source.choice((*_FORGED, "<", ">", ">: ", "\0", "9" * 400)) for _ in range(3)]
        name = f"x{name}{''.join(pieces)}"
    return _HEAD + source.choice(_TEXTS).format(name=name) + _TAIL


if __name__ == "__main__":
    fuzz(check_one_input, _mutate)
