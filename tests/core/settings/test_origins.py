import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.rules.admission.origin import is_origin_allowed
from talkbutton.settings.origins import BadOriginError, parse_origin_pattern

pytestmark = pytest.mark.core


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("https://www.shop.example", "https://www.shop.example"),
        ("HTTPS://WWW.Shop.Example", "https://www.shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("https://shop.example:8443", "https://shop.example:8443"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://192.0.2.7:8080", "http://192.0.2.7:8080"),
        ("https://[2001:DB8::0:7]:8443", "https://[2001:db8::7]:8443"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://straße.example", "https://xn--strae-oqa.example"),
        ("https://*.shop.example", "https://*.shop.example"),
        ("https://*.BÜCHER.example:8443", "https://*.xn--bcher-kva.example:8443"),
    ],
)
def test_is_written_as_browsers_write_it(written: str, text: str) -> None:
    assert parse_origin_pattern(written).text == text
    assert parse_origin_pattern(text).text == text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("*", "every website"),
        ("null", "anybody"),
        ("", "not an origin"),
        ("shop.example", "not an origin"),
        ("https://", "host"),
        ("https://*", "whole label"),
        ("https://*.", "whole label"),
        ("https://*.com", "strangers"),
        ("https://*.co.uk", "strangers"),
        ("https://*.github.io", "strangers"),
        ("https://*.localhost", "strangers"),
        ("https://*shop.example", "whole label"),
        ("https://www.*.example", "whole label"),
        ("https://*.*.example", "whole label"),
        ("https://w*.shop.example", "whole label"),
        ("https://*.192.0.2.7", "IP address"),
        ("https://*.[2001:db8::1]", "not an origin"),
        ("http://*.shop.example", "without https"),
        ("https://shop.example/", "not an origin"),
        ("https://shop.example/page", "not an origin"),
        ("https://user@shop.example", "not an origin"),
        ("https://shop.example:0", "port"),
        ("https://shop.example:65536", "port"),
        ("https://shop.example:", "not an origin"),
        ("https://shop..example", "host"),
        ("https://shop .example", "not an origin"),
        ("https://1.2.3", "IP address"),
        ("https://[::zz]", "IP address"),
        ("file:///x", "not an origin"),
        ("ftp://shop.example", "http://"),
        ("https://☠☠☠.example", "does not exist"),
        (f"https://{'a' * 64}.example", "host"),
    ],
)
def test_refuses(text: str, problem: str) -> None:
    with pytest.raises(BadOriginError, match=problem):
        parse_origin_pattern(text)


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        ("https://www.shop.example", True),
        ("https://a.b.c.shop.example", True),
        ("https://xn--bcher-kva.shop.example", True),
        ("https://shop.example", False),
        ("https://.shop.example", False),
        ("https://evilshop.example", False),
        ("https://www.shop.example.evil.example", False),
        ("https://evil.example#.shop.example", False),
        ("https://evil.example/.shop.example", False),
        ("https://evil.example:1@x.shop.example", False),  # pragma: allowlist secret
        ("https://www.shop.example:8443", False),
        ("http://www.shop.example", False),
        ("https://WWW.shop.example", False),
        ("https://www..shop.example", False),
        ("https://www.shop.example.", False),
        ("https://www.shop.example ", False),
        (f"https://{'a.' * 200}shop.example", False),
        ("null", False),
        ("", False),
        (None, False),
    ],
)
def test_a_wildcard_means_whole_labels_below_a_domain(
    origin: str | None, *, is_allowed: bool
) -> None:
    assert is_origin_allowed(origin, ("https://*.shop.example",)) is is_allowed


def test_null_is_refused_even_where_a_list_was_made_by_hand() -> None:
    assert not is_origin_allowed("null", ("https://shop.example",))


@given(st.text(max_size=80))
def test_any_text_is_an_origin_or_the_documented_error(text: str) -> None:
    try:
        found = parse_origin_pattern(text)
    except BadOriginError:
        return
    assert found.text.isascii()
    assert found.text == found.text.lower()
    assert parse_origin_pattern(found.text) == found
    assert found.below is not None or found.matches(found.text)


@given(st.text(alphabet="abc.-:/@#[]*%\\ é", max_size=40))
def test_what_a_wildcard_allows_ends_in_its_domain(origin: str) -> None:
    pattern = parse_origin_pattern("https://*.shop.example")
    for attempt in (origin, f"https://{origin}.shop.example", f"https://{origin}shop.example"):
        if pattern.matches(attempt):
            host = attempt.removeprefix("https://")
            assert host.endswith(".shop.example")
            assert all(label for label in host.split("."))
            assert host.replace(".", "").replace("-", "").isalnum()
