"""Keeps one WebSocket to Asterisk's ARI open: events come in, REST goes out, on the same socket.

When the socket is lost every waiting request is told so, and a new one is opened after a wait that
grows and differs by chance. The password goes into a header, never into the address.
"""

import asyncio
import base64
import logging
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from talkbutton.errors import AriError, ConnectionLost, ProtocolError, RemoteError
from talkbutton.protocols.ari.commands import only_events_we_know
from talkbutton.protocols.ari.events import ApplicationReplaced, Event
from talkbutton.protocols.ari.messages import Request, Response, parse_message
from talkbutton.protocols.ari.names import APPLICATION
from talkbutton.protocols.ari.requests import AriRequests, Resolve
from talkbutton.runtime.aio.backoff import Backoff
from talkbutton.runtime.aio.tasks import until_lost
from talkbutton.runtime.aio.websocket import TextSocket, open_websocket

__all__ = ["AriAddress", "AriLink", "LinkEvents"]

_log = logging.getLogger("talkbutton.bridge.ari")

OnReply = Callable[[Response | None], None]


@dataclass(frozen=True, slots=True)
class AriAddress:
    """Where ARI is, and who asks.

    Attributes:
        host: Address of Asterisk's HTTP server.
        port: Its TCP port.
        user: The ARI user.
        password: That user's password.
        application: The Stasis application to be.
    """

    host: str
    port: int
    user: str
    password: str
    application: str = APPLICATION

    @property
    def url(self) -> str:
        """The WebSocket's address, without the password."""
        query = urlencode({"app": self.application, "subscribeAll": "false"})
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ws://{host}:{self.port}/ari/events?{query}"

    @property
    def authorization(self) -> str:
        """Value of the ``Authorization`` header (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    def __repr__(self) -> str:
        return f"AriAddress({self.url!r}, user={self.user!r})"


@dataclass(frozen=True, slots=True)
class LinkEvents:
    """Whom the link tells what; none of them may wait.

    Attributes:
        on_up: The socket is open and its events are filtered.
        on_down: The socket is gone.
        on_event: An event came.
    """

    on_up: Callable[[], None]
    on_down: Callable[[], None]
    on_event: Callable[[Event], None]


class AriLink:
    """A connection to ARI that comes back.

    Args:
        address: Where ARI is.
        backoff: How long to wait between attempts.
        requests: Pairs requests with answers.
    """

    def __init__(
        self,
        address: AriAddress,
        *,
        backoff: Backoff,
        requests: AriRequests | None = None,
    ) -> None:
        self.is_up = False
        self.is_taken_over = False
        """Another program registered the application: calls go to it."""
        self._was_up = False  # and those who ask have been told so
        self._address = address
        self._backoff = backoff
        self._requests = requests or AriRequests()
        self._waiting: dict[str, OnReply] = {}
        self._outgoing: asyncio.Queue[str] | None = None  # while a socket is open
        self._timer: asyncio.TimerHandle | None = None

    def submit(self, request: Request, on_reply: OnReply) -> None:
        """Send ``request`` behind those submitted before; ``on_reply`` is called exactly once.

        It gets None if there is no socket, no answer in time, or the socket is lost meanwhile.
        """
        if self._outgoing is None:
            asyncio.get_running_loop().call_soon(on_reply, None)
            return
        request_id, send = self._requests.submit(request, now=self._now())
        self._waiting[request_id] = on_reply
        self._outgoing.put_nowait(send.text)
        self._arm()

    async def ask(self, request: Request) -> Response:
        """Send ``request`` and return the answer.

        Raises:
            AriError: If Asterisk refuses it.
            ConnectionLost: If no answer came.
        """
        answered: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()

        def settle(response: Response | None) -> None:
            if not answered.done():
                answered.set_result(response)

        self.submit(request, settle)
        response = await answered
        if response is None:
            raise ConnectionLost(f"Asterisk did not answer {request.method} {request.uri}")
        if not response.is_success:
            raise AriError(response.status, response.reason)
        return response

    async def run(self, events: LinkEvents) -> None:
        """Keep the connection until cancelled.

        Args:
            events: Whom to tell.
        """
        while True:
            try:
                await self._connect(events)
            except (ConnectionLost, RemoteError) as exc:
                wait_s = self._backoff.next_s()
                _log.warning("no ARI connection, next attempt in %.1f s: %s", wait_s, exc)
                await asyncio.sleep(wait_s)

    async def _connect(self, events: LinkEvents) -> None:
        """Open one socket and carry messages both ways until it is lost.

        Raises:
            ConnectionLost: When it is.
            AriError: If Asterisk refuses what a connection begins with.
        """
        headers = {"Authorization": self._address.authorization}
        async with open_websocket(self._address.url, peer="Asterisk", headers=headers) as socket:
            outgoing = self._outgoing = asyncio.Queue()
            try:
                raise await until_lost(
                    self._read(socket, events.on_event),
                    _write(socket, outgoing),
                    self._introduce(events),
                )
            finally:
                was_up, self._was_up = self._was_up, False
                self._forget_socket()
                if was_up:
                    events.on_down()

    async def _introduce(self, events: LinkEvents) -> None:
        await self.ask(only_events_we_know(self._address.application))
        self._backoff.reset()
        self.is_up = self._was_up = True
        self.is_taken_over = False
        events.on_up()

    async def _read(self, socket: TextSocket, on_event: Callable[[Event], None]) -> None:
        while True:
            text = await socket.receive()
            try:
                message = parse_message(text)
            except ProtocolError as exc:
                _log.warning("dropped a message from Asterisk: %s", exc)
                continue
            match message:
                case Response():
                    self._resolve(self._requests.receive(message))
                    self._arm()
                case ApplicationReplaced():
                    self.is_up = False
                    self.is_taken_over = True
                    _log.error(
                        "another program took over the ARI application %s: calls come to it now; "
                        "stop it, then restart this bridge",
                        self._address.application,
                    )
                    on_event(message)
                case None:
                    pass
                case event:
                    on_event(event)

    def _forget_socket(self) -> None:
        self._outgoing = None
        self.is_up = False
        self._resolve(self._requests.lose())
        self._arm()

    def _resolve(self, resolved: list[Resolve]) -> None:
        for each in resolved:
            self._waiting.pop(each.request_id)(each.response)

    def _arm(self) -> None:
        """Set the one timer to when the oldest request has waited too long."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (deadline := self._requests.deadline) is not None:
            self._timer = asyncio.get_running_loop().call_at(deadline, self._give_up_late)

    def _give_up_late(self) -> None:
        self._timer = None
        self._resolve(self._requests.handle_timeout(now=self._now()))
        self._arm()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


async def _write(socket: TextSocket, outgoing: "asyncio.Queue[str]") -> None:
    while True:
        await socket.send(await outgoing.get())
