"""Addresses of the parts, as each protocol writes them. Pure."""

from talkbutton.settings.model import Settings

__all__ = ["SIP_USER", "janus_api_url", "sip_uri"]

SIP_USER = "talkbutton"
"""The SIP identity's user name in Asterisk."""


def janus_api_url(settings: Settings) -> str:
    """Return the URL of Janus's WebSocket API."""
    return f"ws://{_host(settings.network.private_address)}:{settings.janus.api_port}"


def sip_uri(settings: Settings, user: str | None = None) -> str:
    """Return the SIP URI of ``user`` at Asterisk, or of Asterisk itself."""
    host = f"{_host(settings.network.private_address)}:{settings.asterisk.sip_port}"
    return f"sip:{host}" if user is None else f"sip:{user}@{host}"


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
