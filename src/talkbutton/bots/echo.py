"""Repeats what it hears, at once: for measurements of the way there and back."""

from talkbutton.bots.interface import Line

__all__ = ["EchoBot"]


class EchoBot:
    """Says every frame as it arrives."""

    async def open(self) -> None:
        """Do nothing: it needs nothing."""

    async def converse(self, line: Line) -> None:
        """Echo until the call ends."""
        async for frame in line.hear():
            line.say("echo", frame.pcm)

    async def close(self) -> None:
        """Do nothing: it holds nothing."""
