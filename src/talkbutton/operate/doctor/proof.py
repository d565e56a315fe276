"""Does the work that an edge may ask for before it gives a grant. Pure.

Source: ALTCHA, proof of work, version 1: find the number whose SHA-256 behind the salt is the one
asked for, and send it back with what was sent.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

__all__ = ["NUMBER_MAX", "solve"]

NUMBER_MAX = 5_000_000
"""More work than this is not done: it takes Python some seconds."""


def solve(challenge: Mapping[str, Any]) -> str | None:
    """Return the solution as the edge wants it; None where it is not such a challenge, or too hard.

    Args:
        challenge: ``challenge`` of a problem with the code ``challenge_needed``.
    """
    match challenge:
        case {
            "algorithm": "SHA-256",
            "challenge": str(wanted),
            "salt": str(salt),
            "maxnumber": int(number_max),
            "signature": str(signature),
        } if 0 <= number_max <= NUMBER_MAX:
            number = _find(salt, wanted, number_max)
        case _:
            return None
    if number is None:
        return None
    solution = {
        "algorithm": "SHA-256",
        "challenge": wanted,
        "number": number,
        "salt": salt,
        "signature": signature,
    }
    return base64.b64encode(json.dumps(solution).encode()).decode()


def _find(salt: str, wanted: str, number_max: int) -> int | None:
    start = hashlib.sha256(salt.encode())
    for number in range(number_max + 1):
        attempt = start.copy()
        attempt.update(str(number).encode())
        if attempt.hexdigest() == wanted:
            return number
    return None
