"""The ICE servers that a visitor's browser is given."""

from ipaddress import IPv6Address, ip_address

from pydantic import BaseModel

from talkbutton.protocols.turn import mint_credentials
from talkbutton.settings.model import Settings

__all__ = ["IceServer", "mint_ice_servers", "turn_host"]


class IceServer(BaseModel):
    """One ``RTCIceServer``. Source: W3C WebRTC, section 4.2.4."""

    urls: list[str]
    """TURN addresses (RFC 7065); a TURN server answers STUN too."""

    username: str
    """Expiry and call id."""

    credential: str
    """Password of ``username``."""


def mint_ice_servers(
    settings: Settings, *, secret: str, call_id: str, media_address: str, now_unix: float
) -> list[IceServer]:
    """Return the TURN server with credentials of the call's own."""
    turn = settings.turn
    host = turn_host(settings, media_address)
    urls = [
        f"turn:{host}:{turn.port}?transport=udp",
        f"turn:{host}:{turn.port}?transport=tcp",
    ]
    if turn.tls_certificate is not None:
        urls.append(f"turns:{host}:{turn.tls_port}?transport=tcp")
    for address, port in turn.other_listeners():
        other = _in_url(address)
        urls.append(f"turn:{other}:{port}?transport=tcp")
        if turn.tls_certificate is not None:
            urls.append(f"turns:{other}:{port}?transport=tcp")
    minted = mint_credentials(secret, call_id, ttl_s=turn.credentials_ttl_s, now_unix=int(now_unix))
    return [IceServer(urls=urls, username=minted.username, credential=minted.credential)]


def turn_host(settings: Settings, media_address: str) -> str:
    """Return the address under which browsers reach coturn, in the form that a URL wants.

    ``network.announced_address`` stands for the media address only.
    """
    address = settings.turn_address(media_address)
    if address == media_address:
        address = settings.network.announced_address or media_address
    return _in_url(address)


def _in_url(address: str) -> str:
    return f"[{address}]" if isinstance(ip_address(address), IPv6Address) else address
