"""Runs the application on uvicorn, on a socket of our own, until cancelled."""

import asyncio
import errno
import logging
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import uvicorn
from starlette.types import ASGIApp

from talkbutton.edge.connection import GuardedHttp, GuardedWebSocket
from talkbutton.edge.context import networks
from talkbutton.edge.doors import Doors
from talkbutton.edge.tls import Certificate
from talkbutton.errors import StackError
from talkbutton.protocols.forwarded import plain_address
from talkbutton.protocols.signaling import MESSAGE_MAX_BYTES
from talkbutton.settings.model import EdgeSettings

__all__ = ["listen", "serve"]

_log = logging.getLogger("talkbutton.edge")

_BACKLOG = 2_048
_ACCEPT_AT_ONCE = 100
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_ACCEPT_PAUSE_S = 0.1
_HANDSHAKE_DEADLINE_S = 10.0
_TLS_CLOSE_DEADLINE_S = 1.0
_KERNEL_BUFFER_BYTES = 65_536
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
    # Connections inherit these. Left alone, the kernel keeps megabytes for each who does not read.
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        listener.setsockopt(socket.SOL_SOCKET, option, _KERNEL_BUFFER_BYTES)
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
    """uvicorn with a door of ours: who may not come in costs no handshake and no memory.

    Its own signal handlers are left out: whoever runs the program has them.
    """

    def __init__(
        self, config: uvicorn.Config, doors: Doors, context: ssl.SSLContext | None
    ) -> None:
        super().__init__(config)
        self._doors = doors
        self._context = context
        self._accepting: asyncio.Task[None] | None = None
        self._welcoming: set[asyncio.Task[None]] = set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        assert sockets is not None, "we listen ourselves"
        await self.lifespan.startup()
        self.servers = []
        listener = sockets[0]
        listener.setblocking(False)
        listener.listen(_BACKLOG)
        self._accepting = asyncio.create_task(self._accept(listener))
        self.started = True

    async def on_tick(self, counter: int) -> bool:
        """End the program if nobody can come in any more; its supervisor starts it again."""
        assert self._accepting is not None
        if self._accepting.done():
            self._accepting.result()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        assert self._accepting is not None
        for task in (self._accepting, *self._welcoming):
            task.cancel()
        await asyncio.wait((self._accepting, *self._welcoming))
        await super().shutdown(sockets)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                self._let_in(*await loop.sock_accept(listener))
                # All others that wait, too: in a flood one for each turn of the loop is too slow.
                for _ in range(_ACCEPT_AT_ONCE):
                    self._let_in(*listener.accept())
            except BlockingIOError:
                continue
            except OSError as exc:
                if exc.errno in _EXHAUSTED:  # those inside must leave first
                    _log.warning("a connection could not be accepted: %s", exc.strerror)
                    await asyncio.sleep(_ACCEPT_PAUSE_S)

    def _let_in(self, connection: socket.socket, peer: tuple[str, int]) -> None:
        connection.setblocking(False)
        leave = self._doors.enter(plain_address(peer[0]))
        if leave is None:
            _turn_away(connection)
            return
        task = asyncio.create_task(self._welcome(connection, leave))
        self._welcoming.add(task)
        task.add_done_callback(self._welcoming.discard)

    async def _welcome(self, connection: socket.socket, leave: Callable[[], None]) -> None:
        """Shake hands, and hand the connection over to its protocol."""
        is_tls = self._context is not None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                partial(self._protocol, leave),
                connection,
                ssl=self._context,
                ssl_handshake_timeout=_HANDSHAKE_DEADLINE_S if is_tls else None,
                ssl_shutdown_timeout=_TLS_CLOSE_DEADLINE_S if is_tls else None,
            )
        except OSError:  # a TLS error is one, a timeout too
            leave()
        except BaseException:
            leave()
            raise

    def _protocol(self, leave: Callable[[], None]) -> GuardedHttp:
        state = self.lifespan.state
        return GuardedHttp(self.config, self.server_state, state, on_lost=leave)


def _turn_away(connection: socket.socket) -> None:
    """Close with a reset, so that nothing of it stays in the kernel."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


async def serve(
    app: ASGIApp,
    listener: socket.socket,
    *,
    edge: EdgeSettings,
    certificate: Certificate | None = None,
) -> None:
    """Serve ``app`` until cancelled, then close every connection within a few seconds.

    Nothing is compressed, and nothing is logged for each request, because addresses and tokens have
    no place in a log. Forwarded headers are the application's matter.

    Args:
        app: The application.
        listener: A bound socket.
        edge: How many may connect, and which proxies are trusted.
        certificate: For https; None serves http.
    """
    config = uvicorn.Config(
        app,
        http=GuardedHttp,
        ws=GuardedWebSocket,
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
    doors = Doors(
        all_max=edge.sockets_max,
        per_address_max=edge.sockets_per_address_max,
        exempt=networks(edge.trusted_proxies),
    )
    server = _Server(config, doors, None if certificate is None else certificate.context)
    async with asyncio.TaskGroup() as tasks:
        keeping = None if certificate is None else tasks.create_task(certificate.keep())
        serving = tasks.create_task(server.serve(sockets=[listener]))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            server.should_exit = True
            await serving
            raise
        finally:
            if keeping is not None:
                keeping.cancel()
