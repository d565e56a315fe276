from dataclasses import replace
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.rules.admission import PURPOSE, Grant, Refused, sign_grant, verify_grant

pytestmark = pytest.mark.core

KEY = "k" * 32
GRANT = Grant(
    call_id="0" * 32,
    site="default",
    origin="https://shop.example",
    address_prefix="192.0.2.0/24",
    not_before_unix=1_000,
    expires_unix=1_060,
)
CLAIMS: dict[str, Any] = {
    "aud": "talkbutton-edge",
    "purpose": PURPOSE,
    "call": GRANT.call_id,
    "site": GRANT.site,
    "origin": GRANT.origin,
    "net": GRANT.address_prefix,
    "nbf": GRANT.not_before_unix,
    "exp": GRANT.expires_unix,
}


def verify(
    token: str | None,
    *,
    origin: str | None = GRANT.origin,
    address: str = "192.0.2.77",
    now_unix: float = 1_030.0,
) -> Grant | Refused:
    return verify_grant(token, key=KEY, origin=origin, address=address, now_unix=now_unix)


def refusal(verdict: Grant | Refused) -> str:
    assert isinstance(verdict, Refused)
    assert verdict.detail.endswith(".")
    return verdict.code


def test_gives_back_what_was_signed() -> None:
    assert verify(sign_grant(GRANT, key=KEY)) == GRANT


@pytest.mark.parametrize("token", [None, ""])
def test_missing(token: str | None) -> None:
    assert refusal(verify(token)) == "grant_missing"


@pytest.mark.parametrize(
    "token",
    ["x", "a.b.c", "é" * 50, "\ud800", "a" * 5_000, sign_grant(GRANT, key="z" * 32)],
)
def test_malformed_or_forged(token: str) -> None:
    assert refusal(verify(token)) == "grant_malformed"


def test_a_cut_token_is_malformed() -> None:
    assert refusal(verify(sign_grant(GRANT, key=KEY)[:-3])) == "grant_malformed"


def test_a_token_without_signature_is_malformed() -> None:
    assert refusal(verify(jwt.encode(CLAIMS, "", algorithm="none"))) == "grant_malformed"


@pytest.mark.parametrize(
    ("claim", "claimed"),
    [
        ("purpose", "read_the_console"),
        ("aud", "talkbutton-bridge"),
        ("call", "../../etc"),
        ("exp", "soon"),
        ("net", None),
    ],
)
def test_a_signed_token_for_something_else_is_malformed(claim: str, claimed: object) -> None:
    claims = {**CLAIMS, claim: claimed}
    assert refusal(verify(jwt.encode(claims, KEY, algorithm="HS256"))) == "grant_malformed"


@pytest.mark.parametrize("now_unix", [1_060.0, 1_061.0, 2_000.0, 990.0])
def test_outside_its_time(now_unix: float) -> None:
    verdict = verify(sign_grant(GRANT, key=KEY), now_unix=now_unix)
    assert refusal(verdict) == "grant_expired"
    assert isinstance(verdict, Refused)
    assert verdict.call_id == GRANT.call_id


def test_the_edge_that_takes_it_may_have_a_clock_a_little_behind() -> None:
    assert verify(sign_grant(GRANT, key=KEY), now_unix=996.0) == GRANT


@pytest.mark.parametrize(
    "origin",
    [None, "null", "https://shop.example.evil", "http://shop.example", "https://SHOP.example"],
)
def test_from_another_origin(origin: str | None) -> None:
    assert refusal(verify(sign_grant(GRANT, key=KEY), origin=origin)) == "grant_origin"


@pytest.mark.parametrize("address", ["192.0.3.77", "2001:db8::1", "::1"])
def test_from_another_network(address: str) -> None:
    assert refusal(verify(sign_grant(GRANT, key=KEY), address=address)) == "grant_address"


def test_from_the_same_network_written_as_ipv6() -> None:
    assert verify(sign_grant(GRANT, key=KEY), address="::ffff:192.0.2.9") == GRANT


@given(st.text(max_size=300))
def test_any_text_is_refused(token: str) -> None:
    assert isinstance(verify(token), Refused)


@given(position=st.integers(0, 400), letter=st.sampled_from("abcXYZ019._-"))
def test_a_changed_letter_never_gives_another_grant(position: int, letter: str) -> None:
    token = sign_grant(GRANT, key=KEY)
    position %= len(token)
    changed = token[:position] + letter + token[position + 1 :]
    # The last letter of base64 has spare bits: the token differs, the grant does not.
    assert verify(changed) == GRANT or refusal(verify(changed)) == "grant_malformed"


def test_ipv6_is_bound_by_56_bits() -> None:
    grant = replace(GRANT, address_prefix="2001:db8:0:100::/56")
    token = sign_grant(grant, key=KEY)
    assert verify(token, address="2001:db8:0:1ff:ffff::1") == grant
    assert refusal(verify(token, address="2001:db8:0:200::1")) == "grant_address"
