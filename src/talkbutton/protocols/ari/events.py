"""The few ARI events that a call needs, as values.

Source: docs.asterisk.org, "Asterisk REST Data Models", Asterisk 22.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = [
    "EVENT_TYPES",
    "ApplicationReplaced",
    "ChannelDestroyed",
    "ChannelDtmfReceived",
    "ChannelHangupRequest",
    "Event",
    "StasisEnd",
    "StasisStart",
    "parse_event",
]


@dataclass(frozen=True, slots=True)
class StasisStart:
    """A channel came to the application.

    Attributes:
        channel_id: The channel.
        args: What the dialplan gave to ``Stasis()`` behind the application's name.
    """

    channel_id: str
    args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StasisEnd:
    """A channel left the application."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class ChannelDestroyed:
    """A channel is gone.

    Attributes:
        channel_id: The channel.
        cause: Why, as a Q.850 number.
    """

    channel_id: str
    cause: int


@dataclass(frozen=True, slots=True)
class ChannelHangupRequest:
    """Somebody asked for a channel to be hung up; it is still there."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class ChannelDtmfReceived:
    """The caller pressed a key.

    Attributes:
        channel_id: The channel.
        digit: One of ``0-9*#A-D``.
        duration_ms: How long it was held.
    """

    channel_id: str
    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class ApplicationReplaced:
    """Another client took over this application: no more events come here."""


Event = (
    StasisStart
    | StasisEnd
    | ChannelDestroyed
    | ChannelHangupRequest
    | ChannelDtmfReceived
    | ApplicationReplaced
)

EVENT_TYPES = (
    "StasisStart",
    "StasisEnd",
    "ChannelDestroyed",
    "ChannelHangupRequest",
    "ChannelDtmfReceived",
    "ApplicationReplaced",
)
"""Names of the events that ``parse_event`` knows."""


def parse_event(message: Mapping[str, Any]) -> Event | None:
    """Return the event in a decoded message; None if it is of another type or lacks a field."""
    match message:
        case {"type": "ApplicationReplaced"}:
            return ApplicationReplaced()
        case {"type": "StasisStart", "channel": {"id": str(channel_id)}, "args": list(args)}:
            return StasisStart(channel_id, tuple(str(arg) for arg in args))
        case {"type": "StasisEnd", "channel": {"id": str(channel_id)}}:
            return StasisEnd(channel_id)
        case {"type": "ChannelDestroyed", "channel": {"id": str(channel_id)}, "cause": int(cause)}:
            return ChannelDestroyed(channel_id, cause)
        case {"type": "ChannelHangupRequest", "channel": {"id": str(channel_id)}}:
            return ChannelHangupRequest(channel_id)
        case {
            "type": "ChannelDtmfReceived",
            "channel": {"id": str(channel_id)},
            "digit": str(digit),
            "duration_ms": int(duration_ms),
        }:
            return ChannelDtmfReceived(channel_id, digit, duration_ms)
        case _:
            return None
