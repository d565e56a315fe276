"""The one WebSocket to Janus that a program keeps, and the session on it.

``run`` connects, runs the session, and connects anew when it is lost, with back-off. Machines are
added by ``add``; what they report goes to the owner's function, in order, from the loop's thread.

Source: Janus documentation, "WebSockets Janus API" (subprotocol ``janus-protocol``).
"""

import asyncio
import itertools
import logging
import random
import secrets
import time
from collections.abc import Callable

from talkbutton.errors import ConnectionLost, ProtocolError
from talkbutton.protocols.janus import (
    HandleMachine,
    HungUp,
    JanusLogin,
    JanusSession,
    Lost,
    News,
    Refused,
    Send,
    SessionLost,
    SessionOpened,
    SessionState,
    Tell,
    encode_request,
    parse_message,
)
from talkbutton.protocols.janus.handle import HandleEffect
from talkbutton.protocols.janus.session import SessionEffect
from talkbutton.runtime.aio.backoff import Backoff
from talkbutton.runtime.aio.tasks import until_lost
from talkbutton.runtime.aio.websocket import TextSocket, open_websocket
from talkbutton.settings.secrets import EdgeSecrets, KeeperSecrets, Secrets

__all__ = ["JanusLink", "janus_login"]

_log = logging.getLogger(__name__)

_SUBPROTOCOL = "janus-protocol"
_MESSAGE_MAX_BYTES = 256 * 1024
_OUTGOING_MAX_REQUESTS = 2_000


def janus_login(secrets: EdgeSecrets | KeeperSecrets | Secrets) -> JanusLogin:
    """Return what Janus asks for, out of a program's secrets."""
    return JanusLogin(
        secrets.janus_api_secret.get_secret_value(), secrets.janus_token_secret.get_secret_value()
    )


class JanusLink:
    """Keeps one session with Janus.

    Args:
        url: Of Janus's WebSocket API, such as ``ws://127.0.0.1:8188``.
        login: What Janus asks for.
        new_session: Makes the session's machine; tests shorten its times.
        retry_first_s: Longest first wait before connecting anew.
        retry_max_s: Longest wait.
    """

    def __init__(
        self,
        url: str,
        login: JanusLogin,
        *,
        new_session: Callable[[], JanusSession] | None = None,
        retry_first_s: float = 0.3,
        retry_max_s: float = 3.0,
    ) -> None:
        self.messages_refused = 0
        self._url = url
        self._login = login
        self._new_session = new_session or _new_session
        self._backoff = Backoff(first_s=retry_first_s, max_s=retry_max_s, random=random.random)
        self._session: JanusSession | None = None
        self._owners: dict[str, Callable[[News], None]] = {}
        self._keys = (f"h{n}" for n in itertools.count(1))
        self._outgoing: asyncio.Queue[str] = asyncio.Queue()
        self._wake = asyncio.Event()  # the session's deadline may have changed
        self._opened = asyncio.Event()
        self._lost: SessionLost | None = None
        self._said: str | None = None

    @property
    def is_ready(self) -> bool:
        """Whether handles can be added now."""
        return self._session is not None and self._session.state is SessionState.READY

    @property
    def session_id(self) -> int | None:
        """Janus's id of the session; None while there is none."""
        return None if self._session is None else self._session.session_id

    async def wait_ready(self) -> None:
        """Wait until handles can be added."""
        while not self.is_ready:
            self._opened.clear()
            await self._opened.wait()

    def add(self, machine: HandleMachine, owner: Callable[[News], None]) -> str:
        """Start ``machine`` on a handle of its own; ``owner`` is told its news. Never waits.

        Returns the key for ``carry_out``.

        Raises:
            ConnectionLost: If there is no session now.
        """
        if self._session is None or not self.is_ready:
            raise ConnectionLost("there is no connection to Janus")
        key = next(self._keys)
        self._owners[key] = owner
        self._perform(self._session.add(key, machine, now=_now()))
        return key

    def carry_out(self, key: str, effects: list[HandleEffect]) -> None:
        """Do what the machine under ``key`` returned to its owner. Never waits.

        To be called even if it returned nothing: its deadline may have changed.
        """
        if self._session is not None:  # a machine that lost its session wants nothing
            self._perform(self._session.carry_out(key, effects, now=_now()))

    async def run(self) -> None:
        """Keep the session until cancelled."""
        while True:
            try:
                async with open_websocket(
                    self._url,
                    peer="Janus",
                    subprotocols=[_SUBPROTOCOL],
                    message_max_bytes=_MESSAGE_MAX_BYTES,
                ) as socket:
                    await self._run_session(socket)
            except ConnectionLost as exc:
                self._say(exc)
            await asyncio.sleep(self._backoff.next_s())

    async def _run_session(self, socket: TextSocket) -> None:
        """Run one session to its end.

        Raises:
            ConnectionLost: When it ends.
        """
        self._session = session = self._new_session()
        self._outgoing = asyncio.Queue(_OUTGOING_MAX_REQUESTS)
        self._lost = None
        self._perform(session.start(now=_now()))
        try:
            raise await until_lost(
                self._read(socket, session), self._write(socket), self._keep_time(session)
            )
        finally:
            self._perform(session.lose("janus.connection_lost"))
            self._session = None

    async def _read(self, socket: TextSocket, session: JanusSession) -> None:
        while True:
            text = await socket.receive()
            try:
                message = parse_message(text)
            except ProtocolError as exc:
                self.messages_refused += 1
                _log.warning("a message from Janus was dropped: %s", exc)
            else:
                self._perform(session.receive(message, now=_now()))

    async def _write(self, socket: TextSocket) -> None:
        while True:
            await socket.send(await self._outgoing.get())

    async def _keep_time(self, session: JanusSession) -> None:
        while True:
            self._wake.clear()
            if self._lost is not None:
                raise ConnectionLost(_describe(self._lost))
            try:
                async with asyncio.timeout_at(session.deadline):
                    await self._wake.wait()
            except TimeoutError:
                self._perform(session.handle_timeout(now=_now()))

    def _perform(self, effects: list[SessionEffect]) -> None:
        for effect in effects:
            match effect:
                case Send():
                    self._queue(effect)
                case Tell(key, news):
                    self._tell(key, news)
                case SessionOpened(session_id):
                    self._said = None
                    self._backoff.reset()
                    _log.info("session %d with Janus is open", session_id)
                    self._opened.set()
                case SessionLost():
                    self._lost = effect
        self._wake.set()

    def _queue(self, send: Send) -> None:
        text = encode_request(
            send.request,
            transaction=send.transaction,
            login=self._login,
            now_unix=int(time.time()),
            session_id=send.session_id,
            handle_id=send.handle_id,
        )
        try:
            self._outgoing.put_nowait(text)
        except asyncio.QueueFull:
            self._lost = SessionLost("janus.no_reply")

    def _tell(self, key: str, news: News) -> None:
        is_last = isinstance(news, HungUp | Lost | Refused)
        owner = self._owners.pop(key, None) if is_last else self._owners.get(key)
        if owner is not None:
            owner(news)

    def _say(self, failure: ConnectionLost) -> None:
        is_refusal = self._lost is not None and self._lost.janus_code is not None
        level = logging.ERROR if is_refusal else logging.WARNING
        if str(failure) == self._said:  # once is enough while nothing changes
            level = logging.DEBUG
        self._said = str(failure)
        self._lost = None
        _log.log(level, "there is no session with Janus: %s", failure)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _new_session() -> JanusSession:
    return JanusSession(new_transaction=lambda: secrets.token_hex(8))


def _describe(lost: SessionLost) -> str:
    if lost.janus_code is None:
        return lost.cause
    return f"{lost.cause}: {lost.reason} ({lost.janus_code})"
