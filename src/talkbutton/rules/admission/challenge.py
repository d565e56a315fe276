"""Proof of work: a number that is costly to find and cheap to check.

The edge draws a secret number, hashes it with a salt, and signs the hash. The browser tries numbers
from 0 on until one gives that hash. The salt says until when, how hard and for whom; it ends with a
``&``, so that nobody can move digits between its last parameter and the number (CVE-2025-68113).

Compatible with the ALTCHA protocol, version 1 (https://altcha.org/docs/v1/): any of its widgets and
libraries can solve these challenges. Nothing here is secret but the key, and nothing is remembered:
single use is a claim on the ledger.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any, Literal

from talkbutton.ids import is_call_id

__all__ = [
    "CHALLENGE_TTL_S",
    "NUMBER_RANDOM_BYTES",
    "SOLUTION_MAX_CHARACTERS",
    "ProofChallenge",
    "Solved",
    "Unsolved",
    "UnsolvedReason",
    "issue_challenge",
    "verify_solution",
]

CHALLENGE_TTL_S = 120
"""A challenge is good for so many seconds: enough for a slow phone, too few to hoard."""

NUMBER_RANDOM_BYTES = 16
"""How many random bytes ``issue_challenge`` wants."""

SOLUTION_MAX_CHARACTERS = 1_024
"""Of a solution as it is sent. Ours have about 440."""

UnsolvedReason = Literal["malformed", "forged", "wrong_number", "expired", "elsewhere"]

_ALGORITHM = "SHA-256"
_BOUND_CHARACTERS = 16
_SALT = re.compile(
    r"(?P<id>[0-9a-f]{32})\?expires=(?P<expires>[0-9]{1,12})&cost=(?P<cost>[0-9]{1,9})"
    rf"&bound=(?P<bound>[0-9a-f]{{{_BOUND_CHARACTERS}}})&"
)
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ProofChallenge:
    """What the browser is given; the names are the protocol's.

    Attributes:
        algorithm: Always ``SHA-256``.
        challenge: SHA-256 of salt and secret number, in hex.
        maxnumber: The secret number is not greater.
        salt: Id, expiry, cost and binding, as text.
        signature: HMAC-SHA256 of ``challenge``, in hex.
    """

    algorithm: str
    challenge: str
    maxnumber: int
    salt: str
    signature: str


@dataclass(frozen=True, slots=True)
class Solved:
    """The number was found.

    Attributes:
        challenge_id: Whose single use is to be claimed; also the id that the call will have.
        cost: Hashes that it took in the mean.
        number: The number.
        expires_unix: The challenge was good until this Unix second.
    """

    challenge_id: str
    cost: int
    number: int
    expires_unix: int


@dataclass(frozen=True, slots=True)
class Unsolved:
    """No proof, and why.

    Attributes:
        reason: For the record; the visitor is only told to try again.
        challenge_id: None where nobody can tell, or where the sender made it up.
    """

    reason: UnsolvedReason
    challenge_id: str | None = None


def issue_challenge(
    challenge_id: str,
    *,
    key: str,
    site: str,
    network: str,
    cost: int,
    random_bytes: bytes,
    now_unix: float,
) -> ProofChallenge:
    """Return a new challenge.

    Args:
        challenge_id: A call id that was never used before.
        key: The key that challenges are signed with.
        site: It is good for this site only.
        network: It is good from this network only, such as ``192.0.2.0/24``.
        cost: Hashes that it takes in the mean; at most twice as many.
        random_bytes: ``NUMBER_RANDOM_BYTES`` of them.
        now_unix: Wall-clock time in Unix seconds.
    """
    assert is_call_id(challenge_id), challenge_id
    assert len(random_bytes) == NUMBER_RANDOM_BYTES, len(random_bytes)
    maxnumber = 2 * cost
    number = int.from_bytes(random_bytes, "big") % (maxnumber + 1)
    expires_unix = int(now_unix) + CHALLENGE_TTL_S
    bound = _bind(key, site, network)
    salt = f"{challenge_id}?expires={expires_unix}&cost={cost}&bound={bound}&"
    challenge = _hash(salt, number)
    return ProofChallenge(_ALGORITHM, challenge, maxnumber, salt, _sign(key, challenge))


def verify_solution(
    text: str, *, key: str, site: str, network: str, now_unix: float
) -> Solved | Unsolved:
    """Return what a solution proves. Costs two hashes and three signatures at most.

    Args:
        text: What the visitor sent: base64 of JSON with ``algorithm``, ``challenge``, ``number``,
            ``salt`` and ``signature``. Other members, such as the widget's ``took``, are ignored.
        key: The key that challenges are signed with.
        site: The site that is asked for now.
        network: The network that is asked from now.
        now_unix: Wall-clock time in Unix seconds.
    """
    match _decode(text):
        case {
            "algorithm": "SHA-256",
            "challenge": str(challenge),
            "number": int(number),
            "salt": str(salt),
            "signature": str(signature),
        } if not isinstance(number, bool):
            pass
        case _:
            return Unsolved("malformed")
    parameters = _SALT.fullmatch(salt)
    if parameters is None or not (_DIGEST.fullmatch(challenge) and _DIGEST.fullmatch(signature)):
        return Unsolved("malformed")
    if not hmac.compare_digest(signature, _sign(key, challenge)):
        return Unsolved("forged")
    cost = int(parameters["cost"])
    if not (0 <= number <= 2 * cost and hmac.compare_digest(challenge, _hash(salt, number))):
        return Unsolved("wrong_number")
    # From here on the salt is the one that was issued: only its hash is signed.
    challenge_id, expires_unix = parameters["id"], int(parameters["expires"])
    if now_unix >= expires_unix:
        return Unsolved("expired", challenge_id)
    if not hmac.compare_digest(parameters["bound"], _bind(key, site, network)):
        return Unsolved("elsewhere", challenge_id)
    return Solved(challenge_id, cost, number, expires_unix)


def _decode(text: str) -> Any:
    if len(text) > SOLUTION_MAX_CHARACTERS or not text.isascii():
        return None
    try:
        return json.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return None


def _hash(salt: str, number: int) -> str:
    return hashlib.sha256(f"{salt}{number}".encode()).hexdigest()


def _sign(key: str, text: str) -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def _bind(key: str, site: str, network: str) -> str:
    """Return for whom it is, without saying it: a page may pass the salt on."""
    return _sign(key, f"bound\n{site}\n{network}")[:_BOUND_CHARACTERS]
