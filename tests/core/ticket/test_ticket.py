import base64
import json
from dataclasses import replace

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.errors import ProtocolError
from talkbutton.protocols.ticket import Ticket, sign_ticket, verify_ticket

pytestmark = pytest.mark.core

KEY = "k" * 32
TICKET = Ticket("0" * 32, "default", 600, 1_000)


def test_a_signed_ticket_comes_back_whole() -> None:
    assert verify_ticket(sign_ticket(TICKET, key=KEY), key=KEY, now_unix=999.9) == TICKET


def test_a_late_ticket_is_refused() -> None:
    with pytest.raises(ProtocolError, match="expired"):
        verify_ticket(sign_ticket(TICKET, key=KEY), key=KEY, now_unix=1_000.0)


def test_a_ticket_of_another_key_is_refused() -> None:
    with pytest.raises(ProtocolError, match="not valid"):
        verify_ticket(sign_ticket(TICKET, key="x" * 32), key=KEY, now_unix=0)


def test_a_token_of_another_purpose_is_refused() -> None:
    token = jwt.encode({"aud": "talkbutton-grant", "call": "0" * 32}, KEY, algorithm="HS256")
    with pytest.raises(ProtocolError, match="not valid"):
        verify_ticket(token, key=KEY, now_unix=0)


def test_an_unsigned_token_is_refused() -> None:
    def part(value: dict[str, str]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    token = f"{part({'alg': 'none'})}.{part({'aud': 'talkbutton-bridge'})}."
    with pytest.raises(ProtocolError, match="not valid"):
        verify_ticket(token, key=KEY, now_unix=0)


@pytest.mark.parametrize("call_id", ["", "../../etc/passwd", "0" * 31, "G" * 32])
def test_a_call_id_of_another_form_is_refused(call_id: str) -> None:
    token = sign_ticket(replace(TICKET, call_id=call_id), key=KEY)
    with pytest.raises(ProtocolError, match="lacks a claim"):
        verify_ticket(token, key=KEY, now_unix=0)


@given(st.text())
def test_any_text_is_refused_with_the_documented_error(text: str) -> None:
    with pytest.raises(ProtocolError):
        verify_ticket(text, key=KEY, now_unix=0)


def test_a_ticket_is_safe_in_a_header_and_in_a_dialplan_argument() -> None:
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
    assert set(sign_ticket(TICKET, key=KEY)) <= allowed
