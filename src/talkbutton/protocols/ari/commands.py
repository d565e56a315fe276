"""What a call asks of Asterisk, as values; each knows its REST request.

Source: docs.asterisk.org, "Asterisk REST Interface", channels, bridges and applications.
"""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from talkbutton.protocols.ari.events import EVENT_TYPES
from talkbutton.protocols.ari.messages import Request
from talkbutton.protocols.ari.names import APPLICATION

__all__ = [
    "AddChannel",
    "Answer",
    "Command",
    "CreateBridge",
    "CreateExternalMedia",
    "DestroyBridge",
    "GetVariable",
    "HangUp",
    "list_bridges",
    "list_channels",
    "only_events_we_know",
]

HangUpReason = Literal["normal", "rejected", "congestion"]

_Q850 = {"normal": "16", "rejected": "21", "congestion": "42"}
"""Becomes BYE after the answer; before it, SIP 403 for 21 and 503 for 42."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the caller."""

    channel_id: str

    def request(self) -> Request:
        """Return the REST request."""
        return Request("POST", f"channels/{quote(self.channel_id, safe='')}/answer")


@dataclass(frozen=True, slots=True)
class CreateBridge:
    """Make a mixing bridge with an id of our choice."""

    bridge_id: str

    def request(self) -> Request:
        """Return the REST request."""
        return Request("POST", f"bridges/{self.bridge_id}", {"type": "mixing"})


@dataclass(frozen=True, slots=True)
class CreateExternalMedia:
    """Make a channel that sends and receives RTP.

    Attributes:
        channel_id: Its id, of our choice.
        external_host: ``address:port`` that Asterisk sends to.
        format: ``ulaw`` or ``g722``; others are dropped inbound without a word.
    """

    channel_id: str
    external_host: str
    format: str

    def request(self) -> Request:
        """Return the REST request."""
        query = {
            "app": APPLICATION,
            "channelId": self.channel_id,
            "external_host": self.external_host,
            "format": self.format,
            "encapsulation": "rtp",
            "transport": "udp",
            "connection_type": "client",
            "direction": "both",
        }
        return Request("POST", "channels/externalMedia", query)


@dataclass(frozen=True, slots=True)
class AddChannel:
    """Put a channel into a bridge; only after the channel's own ``StasisStart``."""

    bridge_id: str
    channel_id: str

    def request(self) -> Request:
        """Return the REST request."""
        return Request("POST", f"bridges/{self.bridge_id}/addChannel", {"channel": self.channel_id})


@dataclass(frozen=True, slots=True)
class GetVariable:
    """Read a channel variable."""

    channel_id: str
    name: str

    def request(self) -> Request:
        """Return the REST request."""
        uri = f"channels/{quote(self.channel_id, safe='')}/variable"
        return Request("GET", uri, {"variable": self.name})


@dataclass(frozen=True, slots=True)
class HangUp:
    """Hang a channel up."""

    channel_id: str
    reason: HangUpReason = "normal"

    def request(self) -> Request:
        """Return the REST request."""
        uri = f"channels/{quote(self.channel_id, safe='')}"
        return Request("DELETE", uri, {"reason_code": _Q850[self.reason]})


@dataclass(frozen=True, slots=True)
class DestroyBridge:
    """Take a bridge down; channels in it stay."""

    bridge_id: str

    def request(self) -> Request:
        """Return the REST request."""
        return Request("DELETE", f"bridges/{quote(self.bridge_id, safe='')}")


Command = (
    Answer | CreateBridge | CreateExternalMedia | AddChannel | GetVariable | HangUp | DestroyBridge
)


def list_channels() -> Request:
    """Return the request for all channels."""
    return Request("GET", "channels")


def list_bridges() -> Request:
    """Return the request for all bridges."""
    return Request("GET", "bridges")


def only_events_we_know(application: str = APPLICATION) -> Request:
    """Return the request that keeps all other events off an application's socket.

    Asterisk filters its answers to REST requests too, so they must be on the list.
    """
    allowed = [{"type": name} for name in (*EVENT_TYPES, "RESTResponse")]
    return Request("PUT", f"applications/{application}/eventFilter", body={"allowed": allowed})
