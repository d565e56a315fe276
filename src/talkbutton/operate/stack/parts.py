"""The parts of the stack: names, start order, priorities."""

from dataclasses import dataclass
from typing import Literal

from talkbutton.settings.model import Settings

__all__ = ["FOLLOWED", "PARTS", "PART_BY_NAME", "Kind", "Part", "parts_for"]

FOLLOWED = "coturn"
"""The daemon whose log ``turnlog`` reads."""

Kind = Literal["daemon", "program", "follower", "speech"]


@dataclass(frozen=True, slots=True)
class Part:
    """One process that the supervisor keeps alive.

    Attributes:
        name: Its name; for Python parts also its command.
        kind: ``daemon`` runs in the telephony root, the others are Python: ``program`` has secrets,
            ``follower`` reads a daemon's log, ``speech`` serves models.
        nice: Scheduling priority; below 0 only where the supervisor runs as root.
        ready_timeout_s: Seconds it may take until it is ready.
    """

    name: str
    kind: Kind
    nice: int
    ready_timeout_s: float


PARTS = (
    Part("coturn", "daemon", 0, 15),
    Part("asterisk", "daemon", -5, 20),
    Part("janus", "daemon", -5, 15),
    Part("speech-vad", "speech", 3, 60),
    Part("speech-transcriber", "speech", 5, 60),
    Part("speech-voice", "speech", 5, 60),
    Part("speech-meaning", "speech", 5, 60),
    Part("turnlog", "follower", 3, 40),
    Part("keeper", "program", 0, 40),
    Part("bridge", "program", -5, 90),
    Part("edge", "program", 0, 100),
)
"""Every part. All start at once, and each waits for the others it needs.

Media parts come before others on the CPU, speech after them; a speech worker steps back some more
by itself."""

PART_BY_NAME = {part.name: part for part in PARTS}


def parts_for(settings: Settings) -> tuple[Part, ...]:
    """Return the parts that a deployment needs: only the bot in the box needs speech workers."""
    if settings.bot.kind == "local":
        return PARTS
    return tuple(part for part in PARTS if part.kind != "speech")
