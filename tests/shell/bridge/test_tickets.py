import pytest

from talkbutton.bridge.tickets import TicketDesk
from talkbutton.errors import ProtocolError
from talkbutton.protocols.ticket import Ticket, sign_ticket

pytestmark = pytest.mark.core

KEY = "k" * 32
TICKET = Ticket("0193" * 8, "default", 600, expires_unix=1_060)


def test_lets_a_call_in_once() -> None:
    desk = TicketDesk([KEY], started_unix=1_000)
    text = sign_ticket(TICKET, key=KEY)
    assert desk.spend(text, now_unix=1_000) == TICKET
    with pytest.raises(ProtocolError, match="used already"):
        desk.spend(text, now_unix=1_059)
    with pytest.raises(ProtocolError, match="expired"):
        desk.spend(text, now_unix=1_060)


def test_a_second_ticket_for_the_same_call_is_a_replay_too() -> None:
    desk = TicketDesk([KEY], started_unix=1_000)
    desk.spend(sign_ticket(TICKET, key=KEY), now_unix=1_000)
    other = Ticket(TICKET.call_id, "other", 60, expires_unix=1_060.5)
    with pytest.raises(ProtocolError, match="used already"):
        desk.spend(sign_ticket(other, key=KEY), now_unix=1_000)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "no ticket"), ("garbage", "not valid"), (sign_ticket(TICKET, key="x" * 32), "not valid")],
)
def test_refuses_what_the_edge_did_not_sign(text: str, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        TicketDesk([KEY], started_unix=1_000).spend(text, now_unix=1_000)


def test_a_refused_ticket_is_not_spent() -> None:
    desk = TicketDesk([KEY], started_unix=1_000)
    with pytest.raises(ProtocolError):
        desk.spend(sign_ticket(TICKET, key="x" * 32), now_unix=1_000)
    assert desk.spend(sign_ticket(TICKET, key=KEY), now_unix=1_000) == TICKET


def test_a_restarted_bridge_takes_no_ticket_from_before() -> None:
    text = sign_ticket(TICKET, key=KEY)  # signed at 1,000
    TicketDesk([KEY], started_unix=900).spend(text, now_unix=1_000)
    with pytest.raises(ProtocolError, match="before this bridge started"):
        TicketDesk([KEY], started_unix=1_000.5).spend(text, now_unix=1_001)
    fresh = Ticket("0194" * 8, "default", 600, expires_unix=1_061)  # signed at 1,001
    desk = TicketDesk([KEY], started_unix=1_000.5)
    assert desk.spend(sign_ticket(fresh, key=KEY), now_unix=1_001) == fresh


def test_after_a_rotation_a_ticket_of_the_key_before_is_good_until_that_is_dropped() -> None:
    desk = TicketDesk([KEY], started_unix=1_000)
    desk.change_keys(["n" * 32, KEY])
    assert desk.spend(sign_ticket(TICKET, key=KEY), now_unix=1_000) == TICKET
    with pytest.raises(ProtocolError, match="used already"):  # whatever key signs it
        desk.spend(sign_ticket(TICKET, key="n" * 32), now_unix=1_000)
    other = Ticket("0194" * 8, "default", 600, expires_unix=1_060)
    desk.change_keys(["n" * 32])
    with pytest.raises(ProtocolError, match="not valid"):
        desk.spend(sign_ticket(other, key=KEY), now_unix=1_000)
    assert desk.spend(sign_ticket(other, key="n" * 32), now_unix=1_000) == other
