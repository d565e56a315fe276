import pytest

from talkbutton.errors import SettingsError
from talkbutton.rules.render import FRONTS, Front, render_front
from talkbutton.settings.model import EdgeSettings, Settings

pytestmark = pytest.mark.core


def settings(**edge: object) -> Settings:
    return Settings(version=1, edge=EdgeSettings.model_validate(edge))


@pytest.mark.parametrize("front", FRONTS)
def test_tells_the_visitors_address_and_throws_away_what_visitors_wrote(front: Front) -> None:
    text = render_front(front, settings(public_url="https://talk.example", port=8_081))
    assert "127.0.0.1:8081" in text
    assert "talk.example" in text
    assert "X-Forwarded-For" in text
    assert "Forwarded" in text.replace("X-Forwarded-For", "")
    assert 'trusted_proxies = ["127.0.0.1"]' in text
    assert "TLSv1.2" in text or front == "caddy"


@pytest.mark.parametrize("front", FRONTS)
def test_says_which_settings_go_with_it(front: Front) -> None:
    assert "render this file again" in render_front(front, settings())
    own = settings(public_url="https://talk.example:8443", tls_certificate="a.pem", tls_key="b.pem")
    text = render_front(front, own)
    assert "without tls_certificate" in text
    assert ":8443" in text


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("name", ["a;b", "a{b", "a b", 'a"b', "a$b", "é"])
def test_a_name_that_would_end_a_line_is_refused(front: Front, name: str) -> None:
    with pytest.raises(SettingsError, match=r"edge\.public_url"):
        render_front(front, settings(public_url=f"https://{name}.example"))


@pytest.mark.parametrize("front", FRONTS)
def test_an_edge_on_all_addresses_is_asked_on_loopback(front: Front) -> None:
    text = render_front(front, settings(public_url="https://t.example", listen_address="::"))
    assert "[::1]:8080" in text
