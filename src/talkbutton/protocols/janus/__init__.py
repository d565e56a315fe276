"""The Janus API and its SIP plugin: messages as values, and the machines that speak them."""

from talkbutton.protocols.janus.call_plan import CallPlan, CallTimes
from talkbutton.protocols.janus.handle import Ask, HandleMachine, Report
from talkbutton.protocols.janus.login import JanusLogin, mint_token
from talkbutton.protocols.janus.messages import Message
from talkbutton.protocols.janus.news import (
    Answered,
    Calling,
    CallNews,
    HungUp,
    IceConnected,
    LinkSlow,
    Lost,
    MasterReady,
    MediaHeard,
    MediaSilent,
    News,
    Refused,
    Ringing,
)
from talkbutton.protocols.janus.parse import parse_message
from talkbutton.protocols.janus.requests import Candidate, Request, encode_request
from talkbutton.protocols.janus.session import (
    JanusSession,
    Send,
    SessionLost,
    SessionOpened,
    SessionState,
    Tell,
)
from talkbutton.protocols.janus.sip_call import CallState, SipCall
from talkbutton.protocols.janus.sip_master import SipIdentity, SipMaster

__all__ = [
    "Answered",
    "Ask",
    "CallNews",
    "CallPlan",
    "CallState",
    "CallTimes",
    "Calling",
    "Candidate",
    "HandleMachine",
    "HungUp",
    "IceConnected",
    "JanusLogin",
    "JanusSession",
    "LinkSlow",
    "Lost",
    "MasterReady",
    "MediaHeard",
    "MediaSilent",
    "Message",
    "News",
    "Refused",
    "Report",
    "Request",
    "Ringing",
    "Send",
    "SessionLost",
    "SessionOpened",
    "SessionState",
    "SipCall",
    "SipIdentity",
    "SipMaster",
    "Tell",
    "encode_request",
    "mint_token",
    "parse_message",
]
