import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.errors import SettingsError
from talkbutton.rules.render.jcfg import render_jcfg

pytestmark = pytest.mark.core

_UNSAFE = ["", "a\nb", "a\rb", "a\tb", "a\0b", "\x1b[2J", " a", "a ", "é", "a" * 513]


def test_writes_groups_in_order() -> None:
    text = render_jcfg(
        {
            "general": {"name": "talk", "port": 8188, "is_on": True},
            "admin": {"is_on": False, "folders": ["/", "/a"]},
        },
        file_name="x.jcfg",
    )
    assert text == (
        "# Written by talkbutton from talkbutton.toml. Changes made here are lost.\n"
        'general: {\n\tname = "talk"\n\tport = 8188\n\tis_on = true\n}\n'
        'admin: {\n\tis_on = false\n\tfolders = [ "/", "/a" ]\n}\n'
    )


def test_escapes_quotes_and_backslashes() -> None:
    text = render_jcfg({"g": {"a": 'say "hi" \\ ; # }'}}, file_name="x.jcfg")
    assert '\ta = "say \\"hi\\" \\\\ ; # }"\n' in text


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=60))
def test_a_string_reads_back_as_it_was(value: str) -> None:
    try:
        text = render_jcfg({"g": {"a": value}}, file_name="x.jcfg")
    except SettingsError:
        assert value != value.strip()
        return
    literal = re.fullmatch(r"# .*\ng: \{\n\ta = \"((?:[^\"\\]|\\.)*)\"\n\}\n", text)
    assert literal is not None
    assert re.sub(r"\\(.)", r"\1", literal[1]) == value


@pytest.mark.parametrize("value", _UNSAFE)
def test_refuses_what_it_can_not_write(value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        render_jcfg({"general": {"api_secret": value}}, file_name="janus.jcfg")
    assert refused.value.path == "janus.jcfg general.api_secret"


def test_a_refusal_does_not_show_the_value() -> None:
    with pytest.raises(SettingsError) as refused:
        render_jcfg({"general": {"api_secret": "hush\nhush"}}, file_name="janus.jcfg")
    assert "hush" not in str(refused.value)
