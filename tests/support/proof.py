"""Proof of work as any client may do it: found by trying, packed as ALTCHA packs it."""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

__all__ = ["pack_solution", "solve"]


def solve(challenge: Mapping[str, Any]) -> str:
    """Return the solution of a challenge as it is sent."""
    start = hashlib.sha256(str(challenge["salt"]).encode())
    for number in range(int(challenge["maxnumber"]) + 1):
        tried = start.copy()
        tried.update(str(number).encode())
        if tried.hexdigest() == challenge["challenge"]:
            return pack_solution(challenge, number=number)
    raise AssertionError(f"no number up to {challenge['maxnumber']} fits")


def pack_solution(challenge: Mapping[str, Any], /, **changed: Any) -> str:
    """Return what is sent for ``challenge``, with members changed or added."""
    members = {"algorithm", "challenge", "salt", "signature"}
    told = {key: challenge[key] for key in challenge if key in members}
    return base64.b64encode(json.dumps(told | changed).encode()).decode()
