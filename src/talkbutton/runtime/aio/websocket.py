"""Opens WebSockets to servers we depend on; all that can go wrong becomes ``ConnectionLost``."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from talkbutton.errors import ConnectionLost

__all__ = ["TextSocket", "open_websocket"]

_OPEN_MAX_S = 5.0
_CLOSE_MAX_S = 1.0
_PING_EVERY_S = 5.0
_PONG_MAX_S = 10.0


class TextSocket:
    """An open WebSocket that carries text messages."""

    def __init__(self, connection: ClientConnection, peer: str) -> None:
        self._connection = connection
        self._peer = peer

    async def send(self, text: str) -> None:
        """Send one message; waits while the peer reads slowly.

        Raises:
            ConnectionLost: If the connection is or goes down.
        """
        try:
            await self._connection.send(text)
        except ConnectionClosed as exc:
            raise ConnectionLost(f"the connection to {self._peer} is gone: {exc}") from exc

    async def receive(self) -> str:
        """Return the next message; binary ones are passed over.

        Raises:
            ConnectionLost: If the connection is or goes down.
        """
        while True:
            try:
                message = await self._connection.recv()
            except ConnectionClosed as exc:
                raise ConnectionLost(f"the connection to {self._peer} is gone: {exc}") from exc
            if isinstance(message, str):
                return message


@asynccontextmanager
async def open_websocket(
    url: str,
    *,
    peer: str,
    headers: Mapping[str, str] | None = None,
    subprotocols: Sequence[str] = (),
    message_max_bytes: int = 1 << 20,
) -> AsyncIterator[TextSocket]:
    """Connect to ``url`` directly, without a proxy, and close when the context ends.

    A peer that stops answering pings is taken for gone.

    Args:
        url: ``ws://`` or ``wss://``; it must hold no secret.
        peer: The server's name in messages, such as ``Asterisk``.
        headers: To send with the opening request, such as ``Authorization``.
        subprotocols: To offer, best first.
        message_max_bytes: A longer message ends the connection.

    Raises:
        ConnectionLost: If it cannot be opened.
    """
    opening = connect(
        url,
        additional_headers=dict(headers or {}),
        subprotocols=[Subprotocol(name) for name in subprotocols] or None,
        max_size=message_max_bytes,
        open_timeout=_OPEN_MAX_S,
        close_timeout=_CLOSE_MAX_S,
        ping_interval=_PING_EVERY_S,
        ping_timeout=_PONG_MAX_S,
        compression=None,
        proxy=None,
    )
    try:
        connection = await opening
    except InvalidStatus as exc:
        status = exc.response.status_code
        raise ConnectionLost(f"{peer} refused the connection with HTTP status {status}") from exc
    except (OSError, TimeoutError, InvalidHandshake, InvalidURI) as exc:
        raise ConnectionLost(f"{peer} cannot be reached at {url}: {exc}") from exc
    try:
        yield TextSocket(connection, peer)
    finally:
        await connection.close()
