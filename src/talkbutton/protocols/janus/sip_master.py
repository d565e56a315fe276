"""The SIP identity that calls borrow: one master handle, without I/O.

    NEW -> ATTACHING -> REGISTERING -> READY -> CLOSED
                any state -- refusal, silence, loss --> CLOSED

No REGISTER is sent: Asterisk knows the identity by its user name and password, and never calls
it. A master that is lost is not mended but replaced by a new one; Janus ends the calls that had
borrowed it.

Source: Janus "SIP plugin documentation", "Simultaneous SIP calls using the same account".
"""

import enum
from dataclasses import dataclass, field

from talkbutton.errors import SettingsError
from talkbutton.protocols.janus.handle import (
    Ask,
    Attached,
    HandleEffect,
    HandleInput,
    Report,
    RequestRefused,
    RequestUnanswered,
)
from talkbutton.protocols.janus.messages import (
    HandleDetached,
    PluginEvent,
    SipFailed,
    SipIncomingCall,
    SipRegistered,
)
from talkbutton.protocols.janus.news import Lost, MasterReady, News, Refused
from talkbutton.protocols.janus.requests import Attach, Detach, PluginRequest

__all__ = ["MasterState", "SipIdentity", "SipMaster"]

_PASSWORD_MAX_CHARS = 90
"""Janus copies the password into 100 bytes and cuts the rest."""

_OPAQUE_ID = "talkbutton-keeper"


@dataclass(frozen=True, slots=True)
class SipIdentity:
    """Who Janus is, to Asterisk.

    Attributes:
        username: SIP URI, such as ``sip:talkbutton@127.0.0.1``.
        proxy: SIP URI of Asterisk.
        password: For digest authentication.

    Raises:
        SettingsError: If Janus would cut the password or read it wrongly.
    """

    username: str
    proxy: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        is_plain = self.password.isascii() and self.password.isprintable()
        if not is_plain or {'"', "\\"} & set(self.password):
            problem = "holds a character that Janus's SIP plugin cannot pass on"
        elif len(self.password) > _PASSWORD_MAX_CHARS:
            problem = f"is longer than {_PASSWORD_MAX_CHARS} characters, which Janus would cut"
        else:
            return
        raise SettingsError(
            "sip_password", problem, hint="make a shorter one of letters and digits"
        )


class MasterState(enum.Enum):
    """Where the master is in its life; READY can be borrowed."""

    NEW = "new"
    ATTACHING = "attaching"
    REGISTERING = "registering"
    READY = "ready"
    CLOSED = "closed"


class SipMaster:
    """Attach, take the identity, and notice loss.

    Args:
        identity: The identity.
        setup_timeout_s: Seconds from attach until it must be ready. Janus itself waits up to 2 s
            for its SIP stack.
    """

    def __init__(self, identity: SipIdentity, *, setup_timeout_s: float = 8.0) -> None:
        self.state = MasterState.NEW
        self.deadline: float | None = None
        self._identity = identity
        self._setup_timeout_s = setup_timeout_s
        self._handle_id: int | None = None

    @property
    def is_closed(self) -> bool:
        """Whether the master is gone for ever."""
        return self.state is MasterState.CLOSED

    def start(self, *, now: float) -> list[HandleEffect]:
        """Ask for a handle. Valid once."""
        assert self.state is MasterState.NEW, self.state
        self.state = MasterState.ATTACHING
        self.deadline = now + self._setup_timeout_s
        return [Ask(Attach(_OPAQUE_ID))]

    def receive(self, heard: HandleInput, *, now: float) -> list[HandleEffect]:  # noqa: ARG002
        """Take what came for this handle."""
        if self.state is MasterState.CLOSED:
            return []
        match heard:
            case Attached(handle_id):
                return self._register(handle_id)
            case PluginEvent():
                return self._take_sip(heard)
            case RequestRefused(_, janus_code, reason):
                return self._close(Refused(janus_code, reason))
            case RequestUnanswered():
                return self._close(Lost("janus.no_reply"))
            case HandleDetached():
                self._handle_id = None
                return self._close(Lost("janus.handle_detached"))
            case _:
                return []

    def handle_timeout(self, *, now: float) -> list[HandleEffect]:
        """Give up on a set-up that does not end."""
        if self.deadline is None or now < self.deadline:
            return []
        return self._close(Lost("janus.no_reply"))

    def lose(self, cause: str) -> list[HandleEffect]:
        """Learn that the session, and with it the handle, is gone."""
        self._handle_id = None
        return self._close(Lost(cause))

    def _register(self, handle_id: int) -> list[HandleEffect]:
        self._handle_id = handle_id
        self.state = MasterState.REGISTERING
        body = {
            "request": "register",
            "username": self._identity.username,
            "secret": self._identity.password,
            "proxy": self._identity.proxy,
            "send_register": False,
        }
        return [Ask(PluginRequest(body))]

    def _take_sip(self, heard: PluginEvent) -> list[HandleEffect]:
        match heard.event:
            case SipRegistered(int(master_id)) if self.state is MasterState.REGISTERING:
                self.state = MasterState.READY
                self.deadline = None
                return [Report(MasterReady(master_id, heard.sender))]
            case SipFailed(janus_code, reason) if self.state is MasterState.REGISTERING:
                return self._close(Refused(janus_code, reason))
            case SipIncomingCall():  # nobody may call the gateway
                return [Ask(PluginRequest({"request": "decline", "code": 403}))]
            case _:
                return []

    def _close(self, news: News) -> list[HandleEffect]:
        if self.state is MasterState.CLOSED:
            return []
        self.state = MasterState.CLOSED
        self.deadline = None
        told: list[HandleEffect] = [Report(news)]
        return told if self._handle_id is None else [*told, Ask(Detach())]
