import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.rules.admission.challenge_provider import (
    ANSWER_MAX_BYTES,
    ProviderReason,
    judge_answer,
    verification_form,
)
from talkbutton.settings.model import ChallengeSettings

pytestmark = pytest.mark.core

TURNSTILE = ChallengeSettings(kind="turnstile", site_key="k")
HCAPTCHA = ChallengeSettings(kind="hcaptcha", site_key="k")
RECAPTCHA_2 = ChallengeSettings(kind="recaptcha", site_key="k", recaptcha_version=2)
RECAPTCHA_3 = ChallengeSettings(kind="recaptcha", site_key="k")

ALL = [TURNSTILE, HCAPTCHA, RECAPTCHA_2, RECAPTCHA_3]
GOOD = {"success": True, "hostname": "shop.example", "action": "talkbutton", "score": 0.7}


def judge(settings: ChallengeSettings, told: object) -> tuple[str | None, str]:
    return judge_answer(json.dumps(told).encode(), settings, hostname="shop.example")


@pytest.mark.parametrize("settings", ALL)
def test_a_good_answer(settings: ChallengeSettings) -> None:
    assert judge(settings, GOOD) == (None, "")


@pytest.mark.parametrize("settings", ALL)
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"success": False}, "provider_refused"),
        ({"success": "true"}, "provider_refused"),
        ({"success": 1}, "provider_refused"),
        ({"hostname": "evil.example"}, "provider_hostname"),
        ({"hostname": "shop.example.evil.example"}, "provider_hostname"),
        ({"hostname": None}, "provider_hostname"),
    ],
)
def test_what_no_provider_may_say(
    settings: ChallengeSettings, changed: dict[str, Any], reason: str
) -> None:
    assert judge(settings, GOOD | changed) == (reason, "")


@pytest.mark.parametrize("settings", [TURNSTILE, RECAPTCHA_3])
def test_a_token_for_another_action(settings: ChallengeSettings) -> None:
    assert judge(settings, GOOD | {"action": "login"}) == ("provider_action", "")


@pytest.mark.parametrize("score", [0.49, None, "0.9", True, float("nan"), 7])
def test_a_low_score(score: object) -> None:
    assert judge(RECAPTCHA_3, GOOD | {"score": score}) == ("provider_score", "")
    assert judge(RECAPTCHA_2, GOOD | {"score": score}) == (None, "")


@pytest.mark.parametrize(
    ("codes", "reason", "logged"),
    [
        (["timeout-or-duplicate"], "provider_used", "timeout-or-duplicate"),
        (["invalid-or-already-seen-response"], "provider_used", "invalid-or-already-seen-response"),
        (["invalid-input-secret"], "provider_misconfigured", "invalid-input-secret"),
        (["invalid-input-response"], "provider_refused", "invalid-input-response"),
        (["SECRET token!", 7, {}], "provider_refused", ""),
        ("timeout-or-duplicate", "provider_refused", ""),
        (None, "provider_refused", ""),
    ],
)
def test_what_the_error_codes_mean(codes: object, reason: str, logged: str) -> None:
    assert judge(TURNSTILE, {"success": False, "error-codes": codes}) == (reason, logged)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"{}",
        b"[]",
        b"<html>",
        b"\xff",
        b"[" * 5_000,
        b" " * ANSWER_MAX_BYTES + b'{"success":true}',
    ],
)
def test_nonsense(answer: bytes) -> None:
    assert judge_answer(answer, HCAPTCHA, hostname="shop.example")[0] == "provider_unreadable"


@given(st.binary(max_size=300))
def test_no_answer_is_a_mistake_of_ours(answer: bytes) -> None:
    reason, _ = judge_answer(answer, RECAPTCHA_3, hostname="shop.example")
    assert reason in get_args(ProviderReason)


def test_the_form_has_no_more_than_is_needed() -> None:
    form = {"secret": "s", "response": "t"}
    assert verification_form(TURNSTILE, secret="s", token="t") == form
    assert verification_form(HCAPTCHA, secret="s", token="t") == {**form, "sitekey": "k"}
