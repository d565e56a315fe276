import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.errors import SettingsError
from talkbutton.rules.render.asterisk_sections import Section, assign, place, render_sections

pytestmark = pytest.mark.core


def test_writes_sections_in_order_with_repeated_names() -> None:
    text = render_sections(
        [
            Section("talkbutton", assign(type="auth", password="pw")),
            Section("talkbutton", assign(type="endpoint", ports=7, empty=None)),
            Section("modules", (*assign(autoload="no"), *place("load", ["a.so", "b.so"]))),
        ],
        file_name="x.conf",
    )
    assert text == (
        "; Written by talkbutton from talkbutton.toml. Changes made here are lost.\n"
        "\n[talkbutton]\ntype = auth\npassword = pw\n"
        "\n[talkbutton]\ntype = endpoint\nports = 7\nempty =\n"
        "\n[modules]\nautoload = no\nload => a.so\nload => b.so\n"
    )


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=60))
def test_a_value_reads_back_as_it_was(value: str) -> None:
    """By Asterisk's rule: up to a comment, after the first ``=`` and a ``>``, without blanks."""
    try:
        text = render_sections([Section("s", assign(name=value))], file_name="x.conf")
    except SettingsError:
        assert ";" in value or value != value.strip()
        return
    line = text.splitlines()[-1].split(";")[0]
    assert line.partition("=")[2].removeprefix(">").strip() == value


@pytest.mark.parametrize(
    "value", ["", "a;b", "a\\;b", ";--", "a\nb", "a\r\n[evil]", "a\0", " a", "a ", "ü", "a" * 513]
)
def test_refuses_what_it_can_not_write(value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        render_sections([Section("talkbutton", assign(password=value))], file_name="pjsip.conf")
    assert refused.value.path == "pjsip.conf [talkbutton] password"


def test_a_refusal_does_not_show_the_value() -> None:
    with pytest.raises(SettingsError) as refused:
        render_sections([Section("a", assign(password="hush;hush"))], file_name="x.conf")
    assert "hush" not in str(refused.value)
