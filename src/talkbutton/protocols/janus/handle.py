"""What every machine on a Janus handle has in common, so that one session can carry many.

The session turns a machine's ``Ask`` into a request with a transaction and gives it what comes
back; a ``Report`` goes to the machine's owner.
"""

from dataclasses import dataclass
from typing import Protocol

from talkbutton.protocols.janus.messages import (
    HandleDetached,
    Media,
    PluginEvent,
    SlowLink,
    WebRtcDown,
    WebRtcUp,
)
from talkbutton.protocols.janus.news import News
from talkbutton.protocols.janus.requests import Request

__all__ = [
    "Ask",
    "Attached",
    "HandleEffect",
    "HandleInput",
    "HandleMachine",
    "Report",
    "RequestRefused",
    "RequestUnanswered",
]


@dataclass(frozen=True, slots=True)
class Ask:
    """Send this request on the handle."""

    request: Request


@dataclass(frozen=True, slots=True)
class Report:
    """Tell the owner."""

    news: News


HandleEffect = Ask | Report


@dataclass(frozen=True, slots=True)
class Attached:
    """The handle exists."""

    handle_id: int


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """Janus's core refused one of the machine's requests."""

    request: Request
    janus_code: int
    reason: str


@dataclass(frozen=True, slots=True)
class RequestUnanswered:
    """Janus did not answer one of the machine's requests in time."""

    request: Request


HandleInput = (
    Attached
    | RequestRefused
    | RequestUnanswered
    | HandleDetached
    | WebRtcUp
    | WebRtcDown
    | Media
    | SlowLink
    | PluginEvent
)


class HandleMachine(Protocol):
    """A machine that lives on one handle. It asks for ``Attach`` first and ``Detach`` last."""

    @property
    def is_closed(self) -> bool:
        """Whether it is done for ever."""

    @property
    def deadline(self) -> float | None:
        """When to call ``handle_timeout``, in monotonic seconds."""

    def start(self, *, now: float) -> list[HandleEffect]:
        """Begin. Valid once."""

    def receive(self, heard: HandleInput, *, now: float) -> list[HandleEffect]:
        """Take what came for this handle."""

    def handle_timeout(self, *, now: float) -> list[HandleEffect]:
        """Do what is due; early calls are harmless."""

    def lose(self, cause: str) -> list[HandleEffect]:
        """Learn that the session, and with it the handle, is gone."""
