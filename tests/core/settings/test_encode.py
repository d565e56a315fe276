import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.settings.encode import encode_toml
from talkbutton.settings.model import Settings

pytestmark = pytest.mark.core

texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.one_of(
    texts,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(texts),
)
documents = st.dictionaries(texts, st.one_of(values, st.dictionaries(texts, values)))


@given(documents)
def test_what_is_written_reads_the_same(document: dict[str, object]) -> None:
    assert tomllib.loads(encode_toml(document)) == document


def test_settings_survive() -> None:
    dumped = Settings(version=1).model_dump(mode="json", exclude_none=True)
    assert tomllib.loads(encode_toml(dumped)) == dumped


def test_none_is_left_out_and_other_types_are_refused() -> None:
    assert tomllib.loads(encode_toml({"a": None, "b": 1})) == {"b": 1}
    with pytest.raises(TypeError):
        encode_toml({"a": b""})
