"""One Janus session that carries many handles, without I/O.

It creates the session, keeps it alive, pairs every request with its answer, gives each handle's
machine what is meant for it, and notices when Janus is gone.

    NEW -> CREATING -> READY -> CLOSED
             any state -- refusal, silence, connection lost --> CLOSED

A handle that Janus makes for a machine that has given up meanwhile is detached at once, so that
nothing is left behind in Janus. Times are monotonic seconds supplied by the caller as ``now``.

Source: Janus documentation, "The session endpoint". ``session_timeout`` (60 s by default) in
``janus.jcfg`` is why ``keepalive_s`` stays well below it.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace

from talkbutton.protocols.janus.handle import (
    Ask,
    Attached,
    HandleEffect,
    HandleInput,
    HandleMachine,
    RequestRefused,
    RequestUnanswered,
)
from talkbutton.protocols.janus.messages import (
    Ack,
    Failure,
    Message,
    OtherMessage,
    PluginEvent,
    SessionTimedOut,
    Success,
)
from talkbutton.protocols.janus.news import News
from talkbutton.protocols.janus.requests import Attach, Create, Detach, KeepAlive, Request

__all__ = [
    "JanusSession",
    "Send",
    "SessionEffect",
    "SessionLost",
    "SessionOpened",
    "SessionState",
    "Tell",
]

_NO_SUCH_SESSION = 458
_ATTACHES_GIVEN_UP_MAX = 10


class SessionState(enum.Enum):
    """Where the session is in its life; only READY carries calls."""

    NEW = "new"
    CREATING = "creating"
    READY = "ready"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Send:
    """Send this request to Janus."""

    request: Request
    transaction: str
    session_id: int | None = None
    handle_id: int | None = None


@dataclass(frozen=True, slots=True)
class Tell:
    """Give this news to the owner of the machine that was added under ``key``."""

    key: str
    news: News


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """Handles can be added."""

    session_id: int


@dataclass(frozen=True, slots=True)
class SessionLost:
    """The session is gone, and every handle with it.

    Attributes:
        cause: ``janus.refused`` ``janus.no_reply`` ``janus.session_timed_out``
            ``janus.connection_lost``.
        janus_code: Janus's error number where it said no, such as 403 for a wrong API secret.
        reason: Janus's words.
    """

    cause: str
    janus_code: int | None = None
    reason: str = ""


SessionEffect = Send | Tell | SessionOpened | SessionLost


@dataclass(slots=True)
class _Slot:
    machine: HandleMachine
    handle_id: int | None = None


@dataclass(frozen=True, slots=True)
class _Pending:
    request: Request
    key: str | None  # None for the session's own requests
    deadline: float | None  # None once given up


class JanusSession:
    """Create, keep alive, pair, route, and notice loss.

    Args:
        new_transaction: Returns a fresh transaction id on each call.
        keepalive_s: Seconds between keepalives.
        reply_timeout_s: Seconds to wait for the answer to any request.
    """

    def __init__(
        self,
        *,
        new_transaction: Callable[[], str],
        keepalive_s: float = 10.0,
        reply_timeout_s: float = 5.0,
    ) -> None:
        assert reply_timeout_s < keepalive_s, (reply_timeout_s, keepalive_s)
        self.state = SessionState.NEW
        self.session_id: int | None = None
        self._new_transaction = new_transaction
        self._keepalive_s = keepalive_s
        self._reply_timeout_s = reply_timeout_s
        self._keepalive_at: float | None = None
        self._pending: dict[str, _Pending] = {}
        self._slots: dict[str, _Slot] = {}
        self._keys: dict[int, str] = {}  # by handle id

    @property
    def deadline(self) -> float | None:
        """When to call ``handle_timeout``, in monotonic seconds."""
        times = [pending.deadline for pending in self._pending.values()]
        times += [slot.machine.deadline for slot in self._slots.values()]
        times.append(self._keepalive_at)
        return min((time for time in times if time is not None), default=None)

    @property
    def handles(self) -> int:
        """How many machines live on the session."""
        return len(self._slots)

    def start(self, *, now: float) -> list[SessionEffect]:
        """Open the session. Valid once, in state NEW."""
        assert self.state is SessionState.NEW, self.state
        self.state = SessionState.CREATING
        return [self._send(Create(), key=None, now=now)]

    def add(self, key: str, machine: HandleMachine, *, now: float) -> list[SessionEffect]:
        """Start ``machine`` on a handle of its own. Valid in state READY, with an unused key."""
        assert self.state is SessionState.READY, self.state
        assert key not in self._slots, key
        self._slots[key] = _Slot(machine)
        return self.carry_out(key, machine.start(now=now), now=now)

    def carry_out(
        self, key: str, effects: list[HandleEffect], *, now: float
    ) -> list[SessionEffect]:
        """Turn what the machine under ``key`` wants into what the session's owner does.

        For effects that the machine returned to somebody else, such as those of ``hang_up``.
        """
        carried: list[SessionEffect] = []
        for effect in effects:
            if isinstance(effect, Ask):
                carried.append(self._send(effect.request, key=key, now=now))
            else:
                carried.append(Tell(key, effect.news))
        slot = self._slots.get(key)
        if slot is not None and slot.machine.is_closed:
            del self._slots[key]
            if slot.handle_id is not None:
                self._keys.pop(slot.handle_id, None)
        return carried

    def receive(self, message: Message, *, now: float) -> list[SessionEffect]:
        """Take one parsed message; what nobody waits for changes nothing."""
        if self.state is SessionState.CLOSED:
            return []
        match message:
            case Ack(transaction):
                return self._take_ack(transaction, now)
            case Success(transaction, new_id):
                return self._take_success(transaction, new_id, now)
            case Failure():
                return self._take_failure(message, now)
            case SessionTimedOut(session_id):
                is_ours = session_id is None or session_id == self.session_id
                return self._close(SessionLost("janus.session_timed_out")) if is_ours else []
            case PluginEvent(sender, transaction):
                if transaction is not None:  # the event may overtake the ack
                    self._pending.pop(transaction, None)
                return self._give(self._keys.get(sender), message, now)
            case OtherMessage():
                return []
            case _:
                return self._give(self._keys.get(message.sender), message, now)

    def handle_timeout(self, *, now: float) -> list[SessionEffect]:
        """Send a keepalive, give up on silent requests, and let the machines do what is due."""
        effects: list[SessionEffect] = []
        for transaction, pending in list(self._pending.items()):
            if pending.deadline is not None and pending.deadline <= now:
                effects += self._give_up(transaction, pending, now)
        if self.state is SessionState.CLOSED:
            return effects
        if self._keepalive_at is not None and self._keepalive_at <= now:
            self._keepalive_at = now + self._keepalive_s
            effects.append(self._send(KeepAlive(), key=None, now=now))
        for key, slot in list(self._slots.items()):
            due = slot.machine.deadline
            if due is not None and due <= now:
                effects += self.carry_out(key, slot.machine.handle_timeout(now=now), now=now)
        return effects

    def lose(self, cause: str) -> list[SessionEffect]:
        """Learn that the connection to Janus is gone."""
        return self._close(SessionLost(cause))

    def _take_ack(self, transaction: str, now: float) -> list[SessionEffect]:
        pending = self._pending.get(transaction)
        if pending is None or isinstance(pending.request, Create | Attach):
            return []  # an ack answers neither; the deadline stays
        del self._pending[transaction]
        if isinstance(pending.request, KeepAlive):
            self._keepalive_at = now + self._keepalive_s
        return []

    def _take_success(
        self, transaction: str, new_id: int | None, now: float
    ) -> list[SessionEffect]:
        pending = self._pending.pop(transaction, None)
        if pending is None or new_id is None:
            return []
        if isinstance(pending.request, Create):
            self.session_id = new_id
            self.state = SessionState.READY
            self._keepalive_at = now + self._keepalive_s
            return [SessionOpened(new_id)]
        if not isinstance(pending.request, Attach):
            return []
        slot = self._slots.get(pending.key or "")
        if slot is None:  # its machine gave up meanwhile
            return [replace(self._send(Detach(), key=None, now=now), handle_id=new_id)]
        slot.handle_id = new_id
        self._keys[new_id] = pending.key or ""
        return self._give(pending.key, Attached(new_id), now)

    def _take_failure(self, failure: Failure, now: float) -> list[SessionEffect]:
        pending = self._pending.pop(failure.transaction or "", None)
        if pending is None:
            return []
        code, reason = failure.janus_code, failure.reason
        if code == _NO_SUCH_SESSION:
            return self._close(SessionLost("janus.session_timed_out", code, reason))
        if isinstance(pending.request, Create | KeepAlive):
            return self._close(SessionLost("janus.refused", code, reason))
        return self._give(pending.key, RequestRefused(pending.request, code, reason), now)

    def _give_up(self, transaction: str, pending: _Pending, now: float) -> list[SessionEffect]:
        if isinstance(pending.request, Create | KeepAlive):
            return self._close(SessionLost("janus.no_reply"))
        if isinstance(pending.request, Attach):  # the handle may still come: it must not stay
            self._pending[transaction] = replace(pending, deadline=None)
            if sum(p.deadline is None for p in self._pending.values()) > _ATTACHES_GIVEN_UP_MAX:
                return self._close(SessionLost("janus.no_reply"))
        else:
            self._pending.pop(transaction, None)
        return self._give(pending.key, RequestUnanswered(pending.request), now)

    def _give(self, key: str | None, heard: HandleInput, now: float) -> list[SessionEffect]:
        slot = None if key is None else self._slots.get(key)
        if slot is None or key is None:
            return []
        return self.carry_out(key, slot.machine.receive(heard, now=now), now=now)

    def _send(self, request: Request, *, key: str | None, now: float) -> Send:
        transaction = self._new_transaction()
        self._pending[transaction] = _Pending(request, key, now + self._reply_timeout_s)
        slot = None if key is None else self._slots.get(key)
        handle_id = None if slot is None else slot.handle_id
        return Send(request, transaction, self.session_id, handle_id)

    def _close(self, lost: SessionLost) -> list[SessionEffect]:
        if self.state is SessionState.CLOSED:
            return []
        self.state = SessionState.CLOSED
        self._keepalive_at = None
        self._pending.clear()
        slots, self._slots, self._keys = self._slots, {}, {}
        news: list[SessionEffect] = [
            Tell(key, effect.news)
            for key, slot in slots.items()
            for effect in slot.machine.lose(lost.cause)
            if not isinstance(effect, Ask)
        ]
        return [*news, lost]
