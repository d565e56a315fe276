"""What a call is told and what it wants done, as values; see ``AriCall``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from talkbutton.events import Leg, Scalar
from talkbutton.protocols.ari.commands import Command
from talkbutton.protocols.ari.events import Event
from talkbutton.protocols.ari.messages import Response

__all__ = [
    "Announce",
    "BotFinished",
    "CallTiming",
    "Cause",
    "Effect",
    "Ended",
    "HangUpAsked",
    "Input",
    "LinkLost",
    "LinkRestored",
    "MediaFailed",
    "MediaVerified",
    "PinPeer",
    "Replied",
    "Report",
    "StartBot",
    "StopBot",
    "WarnBot",
    "cause_of",
]

Cause = Literal[
    "visitor_hung_up",
    "bot_hung_up",
    "operator_hung_up",
    "duration_limit",
    "gateway_unavailable",
    "line_unavailable",
    "bot_unavailable",
    "media_lost",
    "no_answer",
    "internal",
]
"""Why a call ended: one, once."""

_CAUSES: tuple[Cause, ...] = get_args(Cause)


def cause_of(text: object, default: Cause) -> Cause:
    """Return ``text`` if it is a cause, else ``default``."""
    return next((cause for cause in _CAUSES if cause == text), default)


@dataclass(frozen=True, slots=True)
class CallTiming:
    """How long a call waits for what."""

    setup_max_s: float = 5.0
    """For Asterisk to make everything."""

    media_late_s: float = 2.0
    """For the first packet, before its absence is reported."""

    media_wait_max_s: float = 10.0
    """For the first packet in all: a browser behind TURN may still be connecting."""

    ask_again_s: float = 0.05
    """Between two looks for the media address."""

    link_wait_max_s: float = 10.0
    """For the ARI socket to come back."""

    teardown_max_s: float = 2.0
    """For Asterisk to confirm that everything is gone."""


@dataclass(frozen=True, slots=True)
class Replied:
    """Asterisk answered a command; ``response`` is None if it did not."""

    command: Command
    response: Response | None


@dataclass(frozen=True, slots=True)
class MediaVerified:
    """A packet came from Asterisk's media address."""


@dataclass(frozen=True, slots=True)
class MediaFailed:
    """The media socket broke."""


@dataclass(frozen=True, slots=True)
class BotFinished:
    """The bot returned, or failed."""

    cause: Cause


@dataclass(frozen=True, slots=True)
class HangUpAsked:
    """Another part, or the operator, wants the call to end."""

    cause: Cause


@dataclass(frozen=True, slots=True)
class LinkLost:
    """The ARI socket is gone; media may flow on."""


@dataclass(frozen=True, slots=True)
class LinkRestored:
    """The ARI socket is back.

    Attributes:
        channel_ids: Channels of ours that live in Asterisk.
    """

    channel_ids: frozenset[str]


Input = (
    Event
    | Replied
    | MediaVerified
    | MediaFailed
    | BotFinished
    | HangUpAsked
    | LinkLost
    | LinkRestored
)


@dataclass(frozen=True, slots=True)
class PinPeer:
    """Exchange media with this address and no other."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class StartBot:
    """Let the bot speak: audio flows both ways."""


@dataclass(frozen=True, slots=True)
class StopBot:
    """End the bot's conversation."""


@dataclass(frozen=True, slots=True)
class WarnBot:
    """Tell the bot that the call reaches its longest duration in ``left_s`` seconds."""

    left_s: int


@dataclass(frozen=True, slots=True)
class Announce:
    """Say why the call ends, before anything is hung up."""

    cause: Cause


@dataclass(frozen=True, slots=True)
class Report:
    """Record a call event."""

    name: str
    leg: Leg
    measures: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing is left in Asterisk, or nothing more can be done about it.

    Attributes:
        cause: Why the call ended.
        duration_ms: From the caller's arrival to the end's beginning.
        is_clean: Asterisk confirmed that everything is gone.
    """

    cause: Cause
    duration_ms: int
    is_clean: bool


Effect = Command | PinPeer | StartBot | StopBot | WarnBot | Announce | Report | Ended
