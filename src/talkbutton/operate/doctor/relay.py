"""The deployment's coturn, as somebody who knows its secret sees it."""

import secrets as random
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from talkbutton.operate.doctor.target import Target
from talkbutton.protocols.turn import mint_credentials
from talkbutton.runtime.aio.turn_client import Transport, TurnClient, open_turn

__all__ = ["CREDENTIALS_TTL_S", "Login", "Relay"]

CREDENTIALS_TTL_S = 60

Login = tuple[str, str]
"""Username and password."""


@dataclass(frozen=True, slots=True)
class Relay:
    """One coturn.

    Attributes:
        target: The deployment.
    """

    target: Target

    @property
    def secret(self) -> str:
        """What its credentials are signed with."""
        return self.target.secrets.turn_secret.get_secret_value()

    def mint(self, user: str | None = None, *, secret: str | None = None) -> Login:
        """Return credentials, good ones unless another secret is named.

        Args:
            user: Whom quotas count; None is a visitor of its own.
            secret: Signs them.
        """
        name = user or f"doctor-{random.token_hex(6)}"
        minted = mint_credentials(
            secret or self.secret, name, ttl_s=CREDENTIALS_TTL_S, now_unix=self.target.now_unix()
        )
        return minted.username, minted.credential

    def open(
        self, login: Login | None, transport: Transport = "udp"
    ) -> AbstractAsyncContextManager[TurnClient]:
        """Connect, with credentials or without."""
        address, port = self.target.turn_address, self.target.settings.turn.port
        return open_turn(address, port, transport=transport, credentials=login)
