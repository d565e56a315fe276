"""The seam between a call and its transport: audio in frames, whatever carries it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from talkbutton.events import Scalar
from talkbutton.protocols.audio.frame import Frame

__all__ = ["MediaPort", "OpenMedia"]


class MediaPort(Protocol):
    """Exchanges 20 ms frames of 16 kHz PCM with one ExternalMedia channel."""

    @property
    def local_address(self) -> tuple[str, int]:
        """Host and port where this end receives."""

    def pin_peer(self, host: str, port: int) -> None:
        """Exchange media with this address; packets from elsewhere are dropped."""

    async def run(
        self, deliver: Callable[[Frame], None], next_frame: Callable[[], Frame | None]
    ) -> None:
        """Every 20 ms deliver what was received and send what is next, until cancelled.

        Args:
            deliver: Takes each received frame.
            next_frame: Gives the frame to send; None for silence.
        """

    async def received_first_packet(self) -> None:
        """Wait until a packet came from the pinned peer."""

    def statistics(self) -> Mapping[str, Scalar]:
        """Return what was counted so far, with units in the keys."""

    def close(self) -> None:
        """Give the port back."""


OpenMedia = Callable[[], Awaitable[MediaPort]]
"""Opens a port for a new call; raises ``StackError`` where none is free."""
