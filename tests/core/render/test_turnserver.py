import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.errors import SettingsError
from talkbutton.rules.render.turnserver import render_turnserver

pytestmark = pytest.mark.core


def test_writes_flags_and_values_in_order() -> None:
    text = render_turnserver(
        ["no-tls", ("realm", "talkbutton"), ("port", 3478), ("port", 3479)], file_name="x.conf"
    )
    assert text == (
        "# Written by talkbutton from talkbutton.toml. Changes made here are lost.\n"
        "no-tls\nrealm=talkbutton\nport=3478\nport=3479\n"
    )


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=60))
def test_a_value_reads_back_as_it_was(value: str) -> None:
    """By coturn's rule: after blanks and ``=`` behind the name, without a quote at its start."""
    try:
        text = render_turnserver([("static-auth-secret", value)], file_name="x.conf")
    except SettingsError:
        assert ";" in value or value != value.strip() or value[0] in '"='
        return
    line = text.splitlines()[-1].rstrip()
    assert line.removeprefix("static-auth-secret").lstrip(" =\t") == value
    assert not value.startswith('"')


@pytest.mark.parametrize(
    "value", ["", '"quoted"', "=a", " a", "a ", "a;", "a\nno-auth", "a\r", "a\0", "ß", "a" * 513]
)
def test_refuses_what_it_can_not_write(value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        render_turnserver([("static-auth-secret", value)], file_name="turnserver.conf")
    assert refused.value.path == "turnserver.conf static-auth-secret"
    assert "no-auth" not in str(refused.value)
