import base64
import hashlib
import hmac

import pytest

from talkbutton.protocols.janus import JanusLogin, mint_token
from talkbutton.protocols.janus.login import TOKEN_TTL_S

pytestmark = pytest.mark.core


def test_a_token_names_its_end_the_realm_and_the_one_plugin() -> None:
    claims, _, signature = mint_token("hush", now_unix=1_000, ttl_s=30).partition(":")
    assert claims == "1030,janus,janus.plugin.sip"
    assert base64.b64decode(signature) == hmac.digest(b"hush", claims.encode(), hashlib.sha1)


def test_each_request_gets_a_token_of_its_own() -> None:
    login = JanusLogin("api", "hush")
    assert login.fields(now_unix=7) == {"token": mint_token("api:hush", now_unix=7)}
    assert login.fields(now_unix=8) != login.fields(now_unix=7)


def test_a_token_outlives_its_request_by_no_more_than_clocks_differ() -> None:
    assert mint_token("hush", now_unix=0).startswith(f"{TOKEN_TTL_S},")
    assert TOKEN_TTL_S <= 60


def test_what_would_sign_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        mint_token("", now_unix=0)
    with pytest.raises(ValueError, match="1 s"):
        mint_token("hush", now_unix=0, ttl_s=0)


def test_a_login_does_not_show_itself() -> None:
    assert "hush" not in repr(JanusLogin("hush", "hush"))
