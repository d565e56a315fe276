"""What a call is to be: whom it calls, as whom, with what, and how long it may wait."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["CallPlan", "CallTimes"]

_HEADERS_MAX_BYTES = 2_000
"""Janus cuts custom headers at 2,048 bytes without a word."""


@dataclass(frozen=True, slots=True)
class CallPlan:
    """What is to be called, as whom, with what.

    Attributes:
        call_id: Becomes the handle's ``opaque_id``.
        uri: SIP URI to call.
        headers: Extra SIP headers of the INVITE.
        master_id: The master handle whose identity is borrowed.
        username: SIP URI of that identity.
        offer_sdp: The browser's offer.

    Raises:
        ValueError: If the URI or a header holds a control character, or the headers are too long.
    """

    call_id: str
    uri: str
    headers: Mapping[str, str] = field(repr=False)
    master_id: int
    username: str
    offer_sdp: str = field(repr=False)

    def __post_init__(self) -> None:
        lines = [f"{name}: {text}" for name, text in self.headers.items()]
        if not all(line.isprintable() for line in (self.uri, *lines)):
            raise ValueError("a SIP URI or header holds a control character")
        if sum(len(line.encode()) + 2 for line in lines) > _HEADERS_MAX_BYTES:
            raise ValueError(f"the SIP headers are longer than {_HEADERS_MAX_BYTES} bytes")


@dataclass(frozen=True, slots=True)
class CallTimes:
    """How long each of a call's waits may last, in seconds.

    Attributes:
        setup_s: From attach until the INVITE is out.
        answer_s: From there until the called side has answered.
        cancel_s: For a sign of life, before hanging up without one.
        hang_up_s: Until SIP has confirmed the end.
    """

    setup_s: float = 8.0
    answer_s: float = 30.0
    cancel_s: float = 2.0
    hang_up_s: float = 3.0
