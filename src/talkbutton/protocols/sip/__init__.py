"""SIP requests and answers, as a lone client says and hears them."""

from talkbutton.protocols.sip.digest import authorize
from talkbutton.protocols.sip.messages import SipAnswer, SipRequest, encode_request, parse_answer

__all__ = ["SipAnswer", "SipRequest", "authorize", "encode_request", "parse_answer"]
