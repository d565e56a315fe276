"""Live messages between programs: captions, hang-up, who is alive."""

from talkbutton.runtime.bus.local import LocalBus
from talkbutton.runtime.bus.message import BusMessage, Json, decode_message, encode_message

__all__ = ["BusMessage", "Json", "LocalBus", "decode_message", "encode_message"]
