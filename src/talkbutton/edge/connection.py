"""uvicorn's two connection protocols, with the bounds that it leaves out.

A request must be there, body and all, within a deadline and a size: whoever drips headers does not
hold a connection, and endless ones fill no memory. Nor do requests sent ahead of their answers. A
WebSocket's control frames and fragments are bounded in number, and answers to pings do not pile up
for someone who reads none.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame

from talkbutton.protocols.signaling.limits import MessageBudget

__all__ = ["GuardedHttp", "GuardedWebSocket"]

REQUEST_DEADLINE_S = 15.0
"""From the connection, or a request's first byte, to its last."""

REQUEST_MAX_BYTES = 65_536
"""A request's line, headers and body, and trailers; bodies alone are bounded by ``BodyLimit``."""

_AHEAD_MAX = 16
_FRAGMENTS_MAX = 64
_UNSENT_MAX_BYTES = 262_144
_PINGS_HZ = 2.0
_PINGS_BURST = 20
_PINGS_MAX = 20_000


class GuardedHttp(HttpToolsProtocol):
    """A connection that carries requests, until it becomes a WebSocket.

    Args:
        config: The server's.
        server_state: The server's.
        app_state: The application's.
        on_lost: Called when the connection is gone, as whatever it was by then.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        *,
        on_lost: Callable[[], None],
    ) -> None:
        super().__init__(config, server_state, app_state)
        self.ws_protocol_class = partial(GuardedWebSocket, on_lost=on_lost)  # type: ignore[assignment]
        self._on_lost = on_lost
        self._deadline: asyncio.TimerHandle | None = None
        self._request_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request from now on."""
        super().connection_made(transport)
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell that the connection is gone."""
        self._expect_nothing()
        super().connection_lost(exc)
        self._on_lost()

    def data_received(self, data: bytes) -> None:
        """Take more of a request, up to a bound."""
        self._request_bytes += len(data)
        super().data_received(data)
        if self._request_bytes > REQUEST_MAX_BYTES:
            self.transport.abort()

    def on_headers_complete(self) -> None:
        """Begin to answer, unless too many requests wait for that already."""
        if len(self.pipeline) < _AHEAD_MAX:
            super().on_headers_complete()
        else:
            self.transport.abort()

    def on_message_begin(self) -> None:
        """Start the clock, unless the connection itself has."""
        self._expect_request()
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Stop the clock and the count: the request is there."""
        self._request_bytes = 0
        self._expect_nothing()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Stop the clock: the signaling session has its own."""
        self._expect_nothing()
        super().handle_websocket_upgrade()

    def _expect_request(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_DEADLINE_S, self._give_up)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        self.transport.abort()


class GuardedWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket, from its handshake on; see ``GuardedHttp`` for the arguments."""

    def __init__(self, *, on_lost: Callable[[], None], **options: Any) -> None:
        super().__init__(**options)
        self._on_lost = on_lost
        self._pings = MessageBudget(
            rate_hz=_PINGS_HZ, burst_messages=_PINGS_BURST, total_messages=_PINGS_MAX
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell that the connection is gone."""
        super().connection_lost(exc)
        self._on_lost()

    def handle_cont(self, event: Frame) -> None:
        """Take one more fragment, of so many."""
        if len(self.frames) >= _FRAGMENTS_MAX:
            self.transport.abort()
        else:
            super().handle_cont(event)

    def handle_ping(self) -> None:
        """Answer, if answers are read and wanted at a human rate."""
        is_unread = self.transport.get_write_buffer_size() > _UNSENT_MAX_BYTES
        if is_unread or not self._pings.take(now=self.loop.time()):
            self.transport.abort()
        else:
            super().handle_ping()
