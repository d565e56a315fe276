"""TURN credentials, and what coturn's log says about those who used them."""

from talkbutton.protocols.turn.credentials import (
    TurnCredentials,
    mint_credentials,
    sign_username,
)
from talkbutton.protocols.turn.log import TurnFact, TurnLog

__all__ = ["TurnCredentials", "TurnFact", "TurnLog", "mint_credentials", "sign_username"]
