import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.protocols.ari.messages import Request, Response
from talkbutton.protocols.ari.requests import AriRequests, Resolve

pytestmark = pytest.mark.core

LIST = Request("GET", "channels")


def test_gives_each_request_its_own_id() -> None:
    requests = AriRequests()
    first, send = requests.submit(LIST, now=0.0)
    second, _ = requests.submit(LIST, now=0.0)
    assert first != second
    assert json.loads(send.text)["request_id"] == first


def test_pairs_answers_in_any_order() -> None:
    requests = AriRequests()
    first, _ = requests.submit(LIST, now=0.0)
    second, _ = requests.submit(LIST, now=0.0)
    for request_id in (second, first):
        answer = Response(request_id, 200, "OK")
        assert requests.receive(answer) == [Resolve(request_id, answer)]
    assert requests.deadline is None


def test_an_answer_counts_once() -> None:
    requests = AriRequests()
    request_id, _ = requests.submit(LIST, now=0.0)
    requests.receive(Response(request_id, 200, "OK"))
    assert requests.receive(Response(request_id, 200, "OK")) == []
    assert requests.receive(Response("", 400, "Failed to parse")) == []


def test_gives_up_in_time_and_not_before() -> None:
    requests = AriRequests(reply_timeout_s=5.0)
    early, _ = requests.submit(LIST, now=1.0)
    late, _ = requests.submit(LIST, now=2.0)
    assert requests.deadline == pytest.approx(6.0)
    assert requests.handle_timeout(now=5.9) == []
    assert requests.handle_timeout(now=6.0) == [Resolve(early, None)]
    assert requests.deadline == pytest.approx(7.0)
    assert requests.receive(Response(early, 200, "OK")) == []
    assert requests.handle_timeout(now=9.0) == [Resolve(late, None)]
    assert requests.deadline is None


def test_a_lost_socket_resolves_everything() -> None:
    requests = AriRequests()
    ids = [requests.submit(LIST, now=0.0)[0] for _ in range(3)]
    assert requests.lose() == [Resolve(request_id, None) for request_id in ids]
    assert requests.lose() == []


@given(
    st.lists(
        st.one_of(
            st.just("submit"),
            st.integers(0, 20).map(lambda n: f"r{n}"),
            st.floats(0, 20),
            st.just("lose"),
        )
    )
)
def test_every_request_is_resolved_exactly_once(steps: list[str | float]) -> None:
    requests = AriRequests()
    submitted: list[str] = []
    resolved: list[Resolve] = []
    now = 0.0
    for step in steps:
        match step:
            case "submit":
                submitted.append(requests.submit(LIST, now=now)[0])
            case "lose":
                resolved += requests.lose()
            case str(request_id):
                resolved += requests.receive(Response(request_id, 200, "OK"))
            case pause_s:
                now += pause_s
                resolved += requests.handle_timeout(now=now)
    resolved += requests.lose()
    assert sorted(each.request_id for each in resolved) == sorted(submitted)
