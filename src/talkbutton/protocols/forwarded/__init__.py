"""Who is behind a reverse proxy."""

from talkbutton.protocols.forwarded.forwarded import (
    FORWARDED,
    X_FORWARDED_FOR,
    client_address,
    plain_address,
)

__all__ = ["FORWARDED", "X_FORWARDED_FOR", "client_address", "plain_address"]
