"""Where Asterisk's end of an ExternalMedia channel is, as its channel variables tell.

They are in the answer to the request that made the channel, if ``channelvars`` in ``ari.conf``
names them; else they can be read one by one, and may not be there at the first look.
"""

from talkbutton.protocols.ari.messages import Json

__all__ = ["MEDIA_ADDRESS", "MEDIA_PORT", "MediaAddress"]

MEDIA_ADDRESS = "UNICASTRTP_LOCAL_ADDRESS"
MEDIA_PORT = "UNICASTRTP_LOCAL_PORT"


class MediaAddress:
    """An address that becomes known piece by piece."""

    def __init__(self) -> None:
        self._host: str | None = None
        self._port: int | None = None

    def take(self, variables: Json) -> None:
        """Note what ``variables`` (name to value) tell; anything else changes nothing."""
        match variables:
            case {"UNICASTRTP_LOCAL_ADDRESS": str(host)} if host:
                self._host = host
        match variables:
            case {"UNICASTRTP_LOCAL_PORT": str(port)} if port.isdecimal() and 0 < int(port) < 65536:
                self._port = int(port)

    @property
    def missing(self) -> list[str]:
        """Variables that are not known yet."""
        values = {MEDIA_ADDRESS: self._host, MEDIA_PORT: self._port}
        return [name for name, value in values.items() if value is None]

    @property
    def complete(self) -> tuple[str, int] | None:
        """Host and port, once both are known."""
        return None if self._host is None or self._port is None else (self._host, self._port)
