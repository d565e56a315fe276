"""RTP (RFC 3550): packets, sequence numbers, sending and playing at the right time."""

from talkbutton.protocols.rtp.packet import RtpExtension, RtpPacket, encode_packet, parse_packet
from talkbutton.protocols.rtp.packetizer import Packetizer
from talkbutton.protocols.rtp.playout import CONCEAL, Conceal, PlayoutBuffer
from talkbutton.protocols.rtp.playout_stats import PlayoutStats
from talkbutton.protocols.rtp.reception import ReceptionStats
from talkbutton.protocols.rtp.sequence import unwrap

__all__ = [
    "CONCEAL",
    "Conceal",
    "Packetizer",
    "PlayoutBuffer",
    "PlayoutStats",
    "ReceptionStats",
    "RtpExtension",
    "RtpPacket",
    "encode_packet",
    "parse_packet",
    "unwrap",
]
