"""What is asked of Janus, as values, and their form on the wire.

Source: see ``messages``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from talkbutton.protocols.janus.login import JanusLogin

__all__ = [
    "SIP_PLUGIN",
    "Attach",
    "Candidate",
    "Create",
    "Detach",
    "KeepAlive",
    "PluginRequest",
    "Request",
    "Trickle",
    "encode_request",
]

SIP_PLUGIN = "janus.plugin.sip"


@dataclass(frozen=True, slots=True)
class Create:
    """Make a session."""


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Keep the session; Janus acks."""


@dataclass(frozen=True, slots=True)
class Attach:
    """Make a handle of the SIP plugin; ``opaque_id`` comes back in Janus's own events."""

    opaque_id: str


@dataclass(frozen=True, slots=True)
class Detach:
    """End the handle, and the call on it."""


@dataclass(frozen=True, slots=True)
class PluginRequest:
    """Ask the plugin something; Janus acks, the plugin's event follows.

    Attributes:
        body: The request in the plugin's own words. May hold a secret: never shown.
        offer_sdp: The browser's offer that goes with it.
    """

    body: Mapping[str, Any] = field(repr=False)
    offer_sdp: str | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The plugin's name for the request, such as ``call``."""
        return str(self.body["request"])


@dataclass(frozen=True, slots=True)
class Candidate:
    """One ICE candidate of the browser (RFC 8838).

    Attributes:
        candidate: The line, ``candidate:...``.
        sdp_mid: Media section by its ``mid``.
        sdp_mline_index: Media section by its place.
    """

    candidate: str
    sdp_mid: str | None = None
    sdp_mline_index: int | None = None


@dataclass(frozen=True, slots=True)
class Trickle:
    """Pass candidates on; ``is_completed`` says that there are no more. Janus only acks."""

    candidates: tuple[Candidate, ...]
    is_completed: bool = False


Request = Create | KeepAlive | Attach | Detach | PluginRequest | Trickle


def encode_request(
    request: Request,
    *,
    transaction: str,
    login: JanusLogin,
    now_unix: int,
    session_id: int | None = None,
    handle_id: int | None = None,
) -> str:
    """Return the request as JSON text, with the login that Janus checks on each one."""
    addressed: dict[str, Any] = {"transaction": transaction, **login.fields(now_unix=now_unix)}
    if session_id is not None:
        addressed["session_id"] = session_id
    if handle_id is not None:
        addressed["handle_id"] = handle_id
    return json.dumps(_fields(request) | addressed, separators=(",", ":"))


def _fields(request: Request) -> dict[str, Any]:
    match request:
        case Create():
            return {"janus": "create"}
        case KeepAlive():
            return {"janus": "keepalive"}
        case Attach(opaque_id):
            return {"janus": "attach", "plugin": SIP_PLUGIN, "opaque_id": opaque_id}
        case Detach():
            return {"janus": "detach"}
        case PluginRequest(body, None):
            return {"janus": "message", "body": dict(body)}
        case PluginRequest(body, offer_sdp):
            jsep = {"type": "offer", "sdp": offer_sdp}
            return {"janus": "message", "body": dict(body), "jsep": jsep}
        case Trickle(candidates, is_completed):
            encoded = [_encode_candidate(candidate) for candidate in candidates]
            if is_completed:
                encoded.append({"completed": True})
            return {"janus": "trickle", "candidates": encoded}


def _encode_candidate(candidate: Candidate) -> dict[str, Any]:
    encoded: dict[str, Any] = {"candidate": candidate.candidate}
    if candidate.sdp_mid is not None:
        encoded["sdpMid"] = candidate.sdp_mid
    if candidate.sdp_mline_index is not None:
        encoded["sdpMLineIndex"] = candidate.sdp_mline_index
    if len(encoded) == 1:  # Janus wants one of the two; there is only one section
        encoded["sdpMLineIndex"] = 0
    return encoded
