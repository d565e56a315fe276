import pytest

from talkbutton.protocols.turn import TurnCredentials, mint_credentials, sign_username

pytestmark = pytest.mark.core


def test_password_matches_the_vector_that_pion_turn_publishes() -> None:
    assert sign_username("foobar", "1599491771") == "Tpz/nKkyvX/vMSLKvL4sbtBt8Vs="


def test_credentials_match_a_password_computed_by_openssl() -> None:
    # printf '1700000300:018b...' | openssl dgst -sha1 -hmac SECRET -binary | base64
    minted = mint_credentials(
        "north-wind-and-sun-0123456789abcd",
        "018bcfe5680001020304050607080900",
        ttl_s=300,
        now_unix=1_700_000_000,
    )
    assert minted == TurnCredentials(
        "1700000300:018bcfe5680001020304050607080900",
        "bHln11tfGaDLQnzPmkonNOplh2Y=",
        1_700_000_300,
    )


@pytest.mark.parametrize(
    ("secret", "user", "ttl_s"),
    [("", "user", 60), ("secret", "", 60), ("secret", "a:b", 60), ("secret", "user", 0)],
)
def test_refuses_what_coturn_would_misread(secret: str, user: str, ttl_s: int) -> None:
    with pytest.raises(ValueError, match=r"TURN"):
        mint_credentials(secret, user, ttl_s=ttl_s, now_unix=0)
