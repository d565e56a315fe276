"""Sends to one visitor, in order, and gives up on one who does not read."""

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

__all__ = ["Outbox"]

MESSAGES_MAX = 64
"""Messages that may wait for the visitor to read."""

SEND_DEADLINE_S = 5.0
"""Seconds within which the socket must take a message."""


class Outbox:
    """A bounded queue before a WebSocket.

    Args:
        websocket: The accepted socket.
        on_slow: Called once, when the visitor does not read.
    """

    def __init__(self, websocket: WebSocket, on_slow: Callable[[], None]) -> None:
        self._websocket = websocket
        self._on_slow = on_slow
        self._is_slow = False
        self._queue: asyncio.Queue[Mapping[str, Any] | tuple[int, str]] = asyncio.Queue()

    def send(self, message: Mapping[str, Any]) -> None:
        """Queue one message; never waits."""
        if self._queue.qsize() >= MESSAGES_MAX:
            self._give_up()
        else:
            self._queue.put_nowait(message)

    def close(self, code: int, reason: str) -> None:
        """Close the socket when everything before is sent."""
        self._queue.put_nowait((code, reason))

    async def run(self) -> None:
        """Send what is queued until the socket is closed, gone, or not read."""
        try:
            while await self._send_next():
                pass
        except TimeoutError:
            self._give_up()

    async def _send_next(self) -> bool:
        message = await self._queue.get()
        if self._websocket.client_state is not WebSocketState.CONNECTED:
            return False
        # The server underneath raises RuntimeError once it has closed the socket by itself.
        with suppress(WebSocketDisconnect, RuntimeError):
            async with asyncio.timeout(SEND_DEADLINE_S):
                if isinstance(message, tuple):
                    await self._websocket.close(*message)
                    return False
                text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
                await self._websocket.send_text(text)
                return True
        return False

    def _give_up(self) -> None:
        if not self._is_slow:
            self._is_slow = True
            self._on_slow()
