"""Feeds arbitrary text to the check of a proof of work.

Allowed outcomes: a documented reason, or the one solution that was asked for. Run it by itself for
a number of seconds:

    python fuzz/fuzz_challenge.py 60
"""

import base64
import json
import random
from dataclasses import asdict
from typing import get_args

from fuzzing import fuzz

from talkbutton.rules.admission.challenge import (
    Solved,
    UnsolvedReason,
    issue_challenge,
    verify_solution,
)

_KEY = "c" * 32
_ID = "018f0000000000000000000000000001"
_NOW_UNIX = 1_800_000_000
_NETWORK = "192.0.2.0/24"
_CHALLENGE = asdict(
    issue_challenge(
        _ID,
        key=_KEY,
        site="default",
        network=_NETWORK,
        cost=500,
        random_bytes=(42).to_bytes(16, "big"),
        now_unix=_NOW_UNIX,
    )
)
_REASONS = get_args(UnsolvedReason)
_ODD_VALUES = (None, True, "42", 42.0, -1, 10**30, "", "\ud800", [], {}, "sha-256", 1e400)


def check_one_input(fuzzed: bytes) -> None:
    """Check one text, whose bytes may be no UTF-8 at all."""
    text = fuzzed.decode("utf-8", "surrogateescape")
    verdict = verify_solution(text, key=_KEY, site="default", network=_NETWORK, now_unix=_NOW_UNIX)
    if isinstance(verdict, Solved):
        assert verdict == Solved(_ID, 500, 42, _NOW_UNIX + 120)
        told = json.loads(base64.b64decode(text))
        assert all(told[key] == _CHALLENGE[key] for key in ("challenge", "salt", "signature"))
    else:
        assert verdict.reason in _REASONS


def _mutate(source: random.Random) -> bytes:
    """Return the good solution with members, JSON or base64 changed."""
    told: dict[str, object] = {**_CHALLENGE, "number": 42, "took": 7}
    for _ in range(source.randrange(3)):
        member = source.choice((*told, "more"))
        value = told.get(member)
        if isinstance(value, str) and source.random() < 0.6:
            at = source.randrange(len(value) + 1)
            value = (
                value[:at] + source.choice(("", "&", "0", "?", "%", "\n", "é")) + value[at + 1 :]
            )
        else:
            value = source.choice((*_ODD_VALUES, source.randrange(1_100)))
        told[member] = value
    document = bytearray(json.dumps(told).encode())
    if source.random() < 0.2:
        at = source.randrange(len(document))
        document[at : at + source.randrange(9)] = source.randbytes(source.choice((0, 1, 3)))
    text = bytearray(base64.b64encode(bytes(document)))
    if source.random() < 0.2:
        at = source.randrange(len(text))
        text[at : at + source.randrange(5)] = source.randbytes(source.choice((0, 1, 2)))
    return bytes(text)


if __name__ == "__main__":
    fuzz(check_one_input, _mutate)
