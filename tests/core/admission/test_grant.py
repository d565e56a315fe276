from dataclasses import replace
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.rules.admission import (
    CONTINUE,
    START,
    Bearer,
    Grant,
    Refused,
    sign_grant,
    verify_grant,
)
from talkbutton.rules.admission.grant import Purpose

pytestmark = pytest.mark.core

KEY = "k" * 32
GRANT = Grant(
    call_id="0" * 32,
    site="default",
    origin="https://shop.example",
    address_prefix="192.0.2.0/24",
    not_before_unix=1_000,
    expires_unix=1_060,
    bucket="192.0.2.77",
    grant_id="1" * 32,
)
CLAIMS: dict[str, Any] = {
    "aud": "talkbutton-edge",
    "purpose": START,
    "jti": GRANT.grant_id,
    "call": GRANT.call_id,
    "site": GRANT.site,
    "origin": GRANT.origin,
    "net": GRANT.address_prefix,
    "bucket": GRANT.bucket,
    "nbf": GRANT.not_before_unix,
    "exp": GRANT.expires_unix,
    "consent": False,
}


def verify(
    token: str | None,
    *,
    origin: str | None = GRANT.origin,
    prefix: str = "192.0.2.0/24",
    now_unix: float = 1_030.0,
    keys: tuple[str, ...] = (KEY,),
    purposes: tuple[Purpose, ...] = (START,),
    late_s: float = 0.0,
) -> Grant | Refused:
    return verify_grant(
        token,
        Bearer(origin, prefix),
        keys=keys,
        now_unix=now_unix,
        purposes=purposes,
        late_s=late_s,
    )


def signed(claims: dict[str, Any], key: str = KEY) -> str:
    """Sign claims of the test's own as the edge does."""
    key_id = jwt.get_unverified_header(sign_grant(GRANT, key=key))["kid"]
    return jwt.encode(claims, key, algorithm="HS256", headers={"kid": key_id})


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
        ("aud", "talkbutton-bridge"),
        ("call", "../../etc"),
        ("exp", "soon"),
        ("net", None),
        ("jti", "short"),
        ("bucket", 5),
        ("purpose", None),
    ],
)
def test_a_signed_token_for_something_else_is_malformed(claim: str, claimed: object) -> None:
    assert refusal(verify(signed({**CLAIMS, claim: claimed}))) == "grant_malformed"
    assert verify(signed(CLAIMS)) == GRANT


def test_a_signed_token_for_another_purpose() -> None:
    reading = signed({**CLAIMS, "purpose": "read_the_console"})
    assert refusal(verify(reading)) == "grant_purpose"
    going_on = sign_grant(replace(GRANT, purpose=CONTINUE), key=KEY)
    assert refusal(verify(going_on)) == "grant_purpose"
    assert refusal(verify(sign_grant(GRANT, key=KEY), purposes=(CONTINUE,))) == "grant_purpose"


def test_keys_change_with_overlap() -> None:
    old, new = sign_grant(GRANT, key="o" * 32), sign_grant(GRANT, key="n" * 32)
    for token in (old, new):
        assert verify(token, keys=("n" * 32, "o" * 32)) == GRANT
    assert refusal(verify(old, keys=("n" * 32,))) == "grant_malformed"


def test_a_token_that_does_not_name_its_key_is_malformed() -> None:
    assert refusal(verify(jwt.encode(CLAIMS, KEY, algorithm="HS256"))) == "grant_malformed"
    foreign = jwt.encode(CLAIMS, KEY, algorithm="HS256", headers={"kid": "0" * 16})
    assert refusal(verify(foreign)) == "grant_malformed"


def test_the_name_of_a_key_does_not_show_it() -> None:
    key_id = jwt.get_unverified_header(sign_grant(GRANT, key=KEY))["kid"]
    assert len(key_id) == 16
    assert KEY not in key_id


def test_a_start_grant_may_be_late_for_its_own_running_call() -> None:
    token = sign_grant(GRANT, key=KEY)
    both: tuple[Purpose, ...] = (START, CONTINUE)
    assert verify(token, now_unix=1_659.9, purposes=both, late_s=600.0) == GRANT
    assert refusal(verify(token, now_unix=1_660.0, purposes=both, late_s=600.0)) == "grant_expired"
    going_on = sign_grant(replace(GRANT, purpose=CONTINUE), key=KEY)
    late = verify(going_on, now_unix=1_060.0, purposes=both, late_s=600.0)
    assert refusal(late) == "grant_expired"


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


@pytest.mark.parametrize("prefix", ["192.0.3.0/24", "192.0.2.0/25", "2001:db8::/56", ""])
def test_from_another_network(prefix: str) -> None:
    assert refusal(verify(sign_grant(GRANT, key=KEY), prefix=prefix)) == "grant_address"


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
