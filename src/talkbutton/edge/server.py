"""Runs the application on uvicorn, on a socket of our own, until cancelled."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from talkbutton.errors import StackError
from talkbutton.protocols.signaling import MESSAGE_MAX_BYTES

__all__ = ["listen", "serve"]

_PING_INTERVAL_S = 10.0
_PING_TIMEOUT_S = 10.0
_STOP_DEADLINE_S = 3
_UNREAD_DEADLINE_MS = 20_000  # the kernel drops who neither reads nor acknowledges for so long


def listen(address: str, port: int) -> socket.socket:
    """Return a socket bound to ``address``; port 0 takes any that is free.

    Raises:
        StackError: If it cannot be bound.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_DEADLINE_MS)
    try:
        listener.bind((address, port))
    except OSError as exc:
        listener.close()
        raise StackError(
            "edge",
            f"cannot listen on {address} port {port}: {exc.strerror}",
            hint="stop what uses it, or set edge.listen_address and edge.port",
        ) from exc
    return listener


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: whoever runs the program has its own."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Serve ``app`` until cancelled, then close every connection within a few seconds.

    Forwarded-for headers are not believed, nothing is compressed, and nothing is logged for each
    request, because addresses and tokens have no place in a log.
    """
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=MESSAGE_MAX_BYTES,
        ws_ping_interval=_PING_INTERVAL_S,
        ws_ping_timeout=_PING_TIMEOUT_S,
        ws_per_message_deflate=False,
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_DEADLINE_S,
    )
    server = _Server(config)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve(sockets=[listener]))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            server.should_exit = True
            await serving
            raise
