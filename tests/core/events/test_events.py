import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.events import CallEvent, to_json_line, without_pii
from talkbutton.ids import is_call_id, make_call_id

pytestmark = pytest.mark.core


def test_a_log_line_is_one_json_object_without_personal_data() -> None:
    event = CallEvent(
        1_700_000_000.25, "c1", "bridge", 3, "bot.heard", "bot", {"pii.text": "my name", "n_ms": 4}
    )
    assert json.loads(to_json_line(event)) == {
        "v": 1,
        "ts": "2023-11-14T22:13:20.250+00:00",
        "call_id": "c1",
        "program": "bridge",
        "seq": 3,
        "event": "bot.heard",
        "leg": "bot",
        "n_ms": 4,
    }


def test_personal_data_is_known_by_a_whole_segment() -> None:
    assert without_pii({"pii.text": 1, "a.pii": 2, "copiied": 3, "pii": 4}) == {"copiied": 3}


@given(st.dictionaries(st.text(), st.text()))
def test_a_log_line_never_spans_two_lines(values: dict[str, str]) -> None:
    line = to_json_line(CallEvent(0.0, "c", "edge", 0, "x.done", "edge", values))
    assert "\n" not in line
    assert "\r" not in line


@given(st.integers(0, (1 << 48) - 2), st.binary(min_size=10, max_size=10))
def test_call_ids_sort_by_time(now_unix_ms: int, random_bytes: bytes) -> None:
    one = make_call_id(now_unix_ms=now_unix_ms, random_bytes=random_bytes)
    later = make_call_id(now_unix_ms=now_unix_ms + 1, random_bytes=random_bytes)
    assert one < later
    assert is_call_id(one)


@pytest.mark.parametrize("text", ["", "0" * 33, "0" * 31 + "/", "0" * 31 + "A", "é" * 32])
def test_other_texts_are_no_call_ids(text: str) -> None:
    assert not is_call_id(text)
