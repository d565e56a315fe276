"""The Asterisk REST Interface, without I/O."""

from talkbutton.protocols.ari.call import AriCall, CallState
from talkbutton.protocols.ari.messages import Request, Response, encode_request, parse_message
from talkbutton.protocols.ari.requests import AriRequests

__all__ = [
    "AriCall",
    "AriRequests",
    "CallState",
    "Request",
    "Response",
    "encode_request",
    "parse_message",
]
