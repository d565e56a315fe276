"""What travels on an ARI WebSocket, as values.

One JSON object a message. Asterisk sends events, and answers to REST requests that were
sent on the same socket; requests on one socket are carried out one after the other, in order.

Source: docs.asterisk.org, "ARI REST over WebSocket"; watched on Asterisk 22.10.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from talkbutton.errors import ProtocolError
from talkbutton.protocols.ari.events import Event, parse_event

__all__ = ["Json", "Method", "Request", "Response", "encode_request", "parse_message"]

Json = Any
"""A value that ``json`` can write."""

Method = Literal["GET", "POST", "PUT", "DELETE"]


@dataclass(frozen=True, slots=True)
class Request:
    """One REST request.

    Attributes:
        method: The HTTP method.
        uri: Path below ``/ari/``, without a query.
        query: Query parameters, not encoded.
        body: A JSON object to send along.
    """

    method: Method
    uri: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """Asterisk's answer to one request.

    Attributes:
        request_id: The id that was sent with the request.
        status: HTTP status code.
        reason: Asterisk's words.
        body: The decoded body; None where there is none.
    """

    request_id: str
    status: int
    reason: str
    body: Json = None

    @property
    def is_success(self) -> bool:
        """Whether the request was carried out."""
        return 200 <= self.status < 300


def encode_request(request: Request, request_id: str) -> str:
    """Return the message that asks for ``request``."""
    message: dict[str, Json] = {
        "type": "RESTRequest",
        "request_id": request_id,
        "method": request.method,
        "uri": request.uri,
    }
    if request.query:
        message["query_strings"] = [
            {"name": name, "value": value} for name, value in request.query.items()
        ]
    if request.body is not None:
        message["content_type"] = "application/json"
        message["message_body"] = json.dumps(request.body, separators=(",", ":"))
    return json.dumps(message, separators=(",", ":"))


def parse_message(text: str) -> Response | Event | None:
    """Return what a message says; None for events that nobody here needs.

    Raises:
        ProtocolError: If it is not a JSON object with a type.
    """
    try:
        decoded = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ProtocolError("an ARI message is not JSON") from exc
    match decoded:
        case {
            "type": "RESTResponse",
            "request_id": str(request_id),
            "status_code": int(status),
            "reason_phrase": str(reason),
        }:
            return Response(request_id, status, reason, _body(decoded.get("message_body")))
        case {"type": str()}:
            return parse_event(decoded)
        case _:
            raise ProtocolError("an ARI message has no type")


def _body(text: Json) -> Json:
    if not isinstance(text, str) or not text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ProtocolError("the body of an ARI response is not JSON") from exc
