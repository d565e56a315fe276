"""What the edge needs of the gateway, so that anything that does it will do.

``talkbutton.edge.gateway.JanusGateway`` is the one for production.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from talkbutton.protocols.janus import CallNews, Candidate

__all__ = ["Gateway", "GatewayCall"]


class GatewayCall(Protocol):
    """One call that was placed."""

    @property
    def janus_session_id(self) -> int | None:
        """Janus's session, for the record."""

    @property
    def janus_handle_id(self) -> int | None:
        """Janus's handle, for the record."""

    def events(self) -> AsyncIterator[CallNews]:
        """Return the call's news, ``HungUp`` or ``Lost`` last."""

    async def trickle(self, candidate: Candidate | None) -> None:
        """Pass on a candidate of the browser; None says that there are no more."""

    async def hang_up(self) -> None:
        """End the call, if it has not ended; does not wait for the end."""


class Gateway(Protocol):
    """Places calls."""

    @property
    def is_ready(self) -> bool:
        """Whether a call could be placed now."""

    async def place_call(
        self,
        call_id: str,
        *,
        offer_sdp: str,
        uri: str,
        headers: Mapping[str, str],
        master_id: int,
        username: str,
    ) -> GatewayCall:
        """Call ``uri`` with the browser's offer, as the identity of ``master_id``.

        Cancelling it ends the call.

        Raises:
            ConnectionLost: If the gateway is gone, or does not answer.
            JanusError: If it refuses.
        """
