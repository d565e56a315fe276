import pytest

from talkbutton.settings.addresses import SIP_USER, janus_api_url, sip_uri
from talkbutton.settings.model import Settings

pytestmark = pytest.mark.core


@pytest.mark.parametrize(
    ("private", "host"), [("10.0.0.7", "10.0.0.7"), ("::1", "[::1]"), ("fd00::7", "[fd00::7]")]
)
def test_addresses_as_each_protocol_writes_them(private: str, host: str) -> None:
    settings = Settings.model_validate({"version": 1, "network": {"private_address": private}})
    assert janus_api_url(settings) == f"ws://{host}:8188"
    assert sip_uri(settings) == f"sip:{host}:5060"
    assert sip_uri(settings, SIP_USER) == f"sip:talkbutton@{host}:5060"
    assert sip_uri(settings, "7000") == f"sip:7000@{host}:5060"
