"""TURN credentials."""

from talkbutton.protocols.turn.credentials import (
    TurnCredentials,
    mint_credentials,
    sign_username,
)

__all__ = ["TurnCredentials", "mint_credentials", "sign_username"]
