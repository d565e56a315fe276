import base64
import hashlib
import hmac
import json
from dataclasses import asdict
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.proof import pack_solution, solve
from talkbutton.rules.admission.challenge import (
    CHALLENGE_TTL_S,
    SOLUTION_MAX_CHARACTERS,
    Solved,
    Unsolved,
    UnsolvedReason,
    issue_challenge,
    verify_solution,
)

pytestmark = pytest.mark.core

KEY = "c" * 32
ID = "018f0000000000000000000000000001"
NOW = 1_800_000_000.0
NETWORK = "192.0.2.0/24"
SALT = f"{ID}?expires=1800000120&cost=500&bound=364c56cd54a204b1&"
NUMBER_42 = (42).to_bytes(16, "big")


def issue(*, cost: int = 500, drawn: bytes = NUMBER_42, key: str = KEY) -> dict[str, Any]:
    challenge = issue_challenge(
        ID, key=key, site="default", network=NETWORK, cost=cost, random_bytes=drawn, now_unix=NOW
    )
    return asdict(challenge)


def verify(text: str, **changed: Any) -> Solved | Unsolved:
    asked = {"key": KEY, "site": "default", "network": NETWORK, "now_unix": NOW, **changed}
    return verify_solution(text, **asked)


def reason(verdict: Solved | Unsolved) -> str:
    assert isinstance(verdict, Unsolved), verdict
    return verdict.reason


def test_a_known_challenge() -> None:
    # By hand: bound is `printf 'bound\ndefault\n192.0.2.0/24' | openssl dgst -sha256 -hmac $KEY`,
    # challenge `printf "${SALT}42" | sha256sum`, signature the HMAC of that text.
    assert issue() == {
        "algorithm": "SHA-256",
        "challenge": "a9f059310cdd9998999ce84a7d1b73bea574eb24a47ac3dfdbfe89bdb296ad4e",
        "maxnumber": 1_000,
        "salt": SALT,
        "signature": "e51ff5c30d8047be28c9005e25da8531d0df75fef1739b9bcaac7bb17ff37861",
    }


def test_the_number_is_what_the_protocol_says() -> None:
    challenge = issue()
    assert hashlib.sha256(f"{challenge['salt']}42".encode()).hexdigest() == challenge["challenge"]
    signed = hmac.new(KEY.encode(), challenge["challenge"].encode(), hashlib.sha256)
    assert signed.hexdigest() == challenge["signature"]


def test_a_solution_is_accepted_until_it_expires() -> None:
    text = solve(issue())
    good = Solved(ID, cost=500, number=42, expires_unix=1_800_000_120)
    assert verify(text) == good
    assert verify(text, now_unix=NOW + CHALLENGE_TTL_S - 0.001) == good
    assert verify(text, now_unix=NOW + CHALLENGE_TTL_S) == Unsolved("expired", ID)


def test_the_public_widget_says_how_long_it_took() -> None:
    assert isinstance(verify(pack_solution(issue(), number=42, took=731)), Solved)


def test_it_is_good_for_its_own_site_and_network_only() -> None:
    text = solve(issue())
    assert verify(text, site="other") == Unsolved("elsewhere", ID)
    assert verify(text, network="192.0.3.0/24") == Unsolved("elsewhere", ID)


def test_another_key_signs_nothing() -> None:
    assert reason(verify(solve(issue(key="d" * 32)))) == "forged"


def test_a_wrong_number() -> None:
    challenge = issue()
    for number in (41, -1, 1_001, 10**60):
        assert reason(verify(pack_solution(challenge, number=number))) == "wrong_number"


def test_the_salt_can_not_be_changed() -> None:
    challenge = issue()
    later = SALT.replace("expires=1800000120", "expires=1900000120")
    assert reason(verify(pack_solution(challenge, number=42, salt=later))) == "wrong_number"


def test_digits_can_not_move_between_salt_and_number() -> None:
    """CVE-2025-68113, and the string number that got around its first mending."""
    challenge = issue()
    for salt, number in (
        (SALT[:-1], 42),
        (SALT + "4", 2),
        (SALT.removesuffix("bound=364c56cd54a204b1&"), "bound=364c56cd54a204b1&42"),
        (SALT, "42"),
        (SALT, 42.0),
        (SALT, True),
        (SALT + "\n", 42),
    ):
        spliced = pack_solution(challenge, number=number, salt=salt)
        assert reason(verify(spliced)) == "malformed", (salt, number)


def test_a_made_up_challenge() -> None:
    made_up = {**issue(), "challenge": hashlib.sha256(f"{SALT}7".encode()).hexdigest()}
    assert reason(verify(pack_solution(made_up, number=7))) == "forged"


@pytest.mark.parametrize("member", ["algorithm", "challenge", "salt", "signature", "number"])
@pytest.mark.parametrize("value", [None, 7.5, "", "\ud800", [], {}, "SHA-1"])
def test_each_member_has_its_form(member: str, value: object) -> None:
    text = pack_solution(issue(), **{"number": 42, member: value})
    assert reason(verify(text)) == "malformed"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=",
        "eyJ9",
        base64.b64encode(b"[" * 600).decode(),
        base64.b64encode(b"\xff\xfe").decode(),
        base64.b64encode(b"1" * 700).decode(),
        "ï" * 8,
        pack_solution(issue(), number=42) + "\n",
        pack_solution(issue(), number=42, took="x" * SOLUTION_MAX_CHARACTERS),
    ],
)
def test_nonsense_is_malformed(text: str) -> None:
    assert reason(verify(text)) == "malformed"


@given(st.text(max_size=200) | st.binary(max_size=800).map(lambda b: base64.b64encode(b).decode()))
def test_only_documented_refusals(text: str) -> None:
    assert reason(verify(text)) in get_args(UnsolvedReason)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


@given(member=st.sampled_from(["algorithm", "challenge", "salt", "signature"]), value=JSON)
def test_any_change_is_refused(member: str, value: object) -> None:
    challenge = issue()
    changed = {"number": 42, member: value}
    expected = Solved if challenge[member] == value else Unsolved
    assert isinstance(verify(pack_solution(challenge, **changed)), expected)


@given(cost=st.integers(1, 10**8), drawn=st.binary(min_size=16, max_size=16))
def test_the_secret_number_solves_it(cost: int, drawn: bytes) -> None:
    challenge = issue(cost=cost, drawn=drawn)
    number = int.from_bytes(drawn, "big") % (2 * cost + 1)
    text = pack_solution(challenge, number=number)
    assert len(text) < SOLUTION_MAX_CHARACTERS / 2
    assert verify(text) == Solved(ID, cost, number, 1_800_000_120)
    other = pack_solution(challenge, number=(number + 1) % (2 * cost + 1))
    assert json.loads(base64.b64decode(other))["number"] <= challenge["maxnumber"]
    assert reason(verify(other)) == "wrong_number"
