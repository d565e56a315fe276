from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.protocols.turn import TurnFact, TurnLog
from talkbutton.protocols.turn.log import SESSIONS_MAX

pytestmark = pytest.mark.core

CALL = "0193abcdef01" + "5" * 20
SESSION = "001000000000000002"
NEW = f"allocation new, realm=<talkbutton>, username=<1795519940:{CALL}>, lifetime=600"
REFRESHED = f"allocation refreshed, realm=<talkbutton>, username=<1795519940:{CALL}>, lifetime=0"
USAGE = f"usage: realm=<talkbutton>, username=<1795519940:{CALL}>, rp=107, rb=1000, sp=4, sb=20"
PEER = f"peer usage: realm=<talkbutton>, username=<1795519940:{CALL}>, rp=0, rb=300, sp=9, sb=4000"
CLOSED = (
    f"closed (2nd stage), user <1795519940:{CALL}> realm <talkbutton> origin <>, "
    "local 127.0.0.1:24878, remote 127.0.0.1:55647, reason: TCP connection closed by client "
    "(callback)"
)
DELETED = f"allocation delete: realm=<talkbutton>, username=<1795519940:{CALL}>"


def line(text: str, session: str = SESSION) -> str:
    return f"2026-11-24T11:31:25.766+0000 INFO {text} (session {session})"


def refusal(code: int, reason: str, request: str = "ALLOCATE", user: str = CALL) -> str:
    return (
        f"realm <talkbutton> user <1795519940:{user}>: incoming packet {request} processed, "
        f"error {code}: {reason}"
    )


def read_all(*texts: str) -> list[TurnFact]:
    log = TurnLog()
    return [fact for text in texts if (fact := log.read(line(text))) is not None]


def test_an_allocation_is_told_with_its_end_and_what_it_carried() -> None:
    opened, closed = read_all(NEW, USAGE, PEER, USAGE, CLOSED, DELETED)
    assert opened == TurnFact(
        CALL, "turn.allocated", is_proven=True, data={"turn_session": SESSION, "tls": False}
    )
    assert closed == TurnFact(
        CALL,
        "turn.closed",
        is_proven=True,
        data={
            "turn_session": SESSION,
            "reason": "TCP connection closed by client (callback)",
            "visitor_bytes": 2040,
            "peer_bytes": 4300,
        },
    )


def test_an_allocation_over_tls_says_so() -> None:
    [opened] = read_all(f"{NEW}, cipher=TLS_AES_256_GCM_SHA384, method=TLSv1.3")
    assert opened.data["tls"] is True


def test_a_browser_that_gives_its_allocation_back_is_told_from_one_that_vanished() -> None:
    _, closed = read_all(NEW, REFRESHED, CLOSED, DELETED)
    assert closed.data["reason"] == "given back"


@pytest.mark.parametrize(
    ("code", "reason", "is_proven"),
    [
        (401, "Unauthorized", False),
        (403, "Forbidden IP", True),
        (442, "Unsupported Transport Protocol", True),
        (486, "Allocation Quota Reached", True),
    ],
)
def test_a_refusal_is_told_once_with_its_reason(code: int, reason: str, *, is_proven: bool) -> None:
    [refused] = read_all(refusal(code, reason), refusal(code, reason, "message"))
    assert refused == TurnFact(
        CALL,
        "turn.refused",
        is_proven=is_proven,
        data={"turn_session": SESSION, "stun_code": code, "reason": reason},
    )


def test_a_stale_nonce_is_no_refusal() -> None:
    assert read_all(refusal(438, "Stale nonce")) == []


@pytest.mark.parametrize(
    "user",
    ["", "visitor", CALL.upper(), f"{CALL}0", f"x> INFO allocation new, username=<1:{CALL}"],
)
def test_other_users_say_nothing(user: str) -> None:
    assert read_all(refusal(401, "Unauthorized", user=user), NEW.replace(CALL, user)) == []


def test_a_name_can_not_pass_for_another_line() -> None:
    forged = f"7:x> {NEW} (session 000000000000000009)"
    assert read_all(f"realm <talkbutton> user <{forged}>: incoming packet message processed") == []
    assert read_all(f"user <{forged}") == []


def test_the_end_of_an_allocation_that_was_not_seen_is_left_out() -> None:
    assert read_all(USAGE, DELETED) == []


def test_it_remembers_no_more_sessions_than_there_can_be() -> None:
    log, numbers = TurnLog(), count()
    for _ in range(SESSIONS_MAX + 10):
        log.read(line(refusal(401, "Unauthorized"), f"{next(numbers):018}"))
    assert len(log._sessions) == SESSIONS_MAX


@given(
    st.text()
    | st.sampled_from([NEW, USAGE, CLOSED, DELETED])
    .map(line)
    .flatmap(lambda text: st.integers(0, len(text)).map(lambda cut: text[:cut]))
)
def test_any_text_is_a_line(text: str) -> None:
    fact = TurnLog().read(text)
    assert fact is None or len(fact.call_id) == 32
