import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.operate.doctor.proof import NUMBER_MAX, solve

pytestmark = pytest.mark.core


def challenge(salt: str, number: int, number_max: int) -> dict[str, Any]:
    return {
        "algorithm": "SHA-256",
        "challenge": hashlib.sha256(f"{salt}{number}".encode()).hexdigest(),
        "maxnumber": number_max,
        "salt": salt,
        "signature": "s",
    }


@given(st.text(max_size=20), st.integers(0, 50), st.integers(0, 50))
def test_finds_the_number_that_was_asked_for(salt: str, number: int, more: int) -> None:
    solution = solve(challenge(salt, number, number + more))
    assert solution is not None
    assert json.loads(base64.b64decode(solution)) == {
        "algorithm": "SHA-256",
        "challenge": hashlib.sha256(f"{salt}{number}".encode()).hexdigest(),
        "number": number,
        "salt": salt,
        "signature": "s",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"algorithm": "SHA-1"},
        {"maxnumber": NUMBER_MAX + 1},
        {"maxnumber": -1},
        {"maxnumber": "9"},
        {"salt": None},
        {"maxnumber": 4},
    ],
)
def test_does_no_other_work(change: dict[str, Any]) -> None:
    assert solve(challenge("salt?", 5, 9) | change) is None


def test_does_nothing_for_a_third_party() -> None:
    assert solve({"kind": "turnstile", "site_key": "k"}) is None
