"""Judges where a part listens. Pure but for the look at the kernel's tables."""

from collections.abc import Callable, Collection

from talkbutton.operate.doctor.probe import NotTried, Outcome, judge
from talkbutton.operate.doctor.sockets import OpenSocket, open_sockets
from talkbutton.operate.doctor.target import Target
from talkbutton.settings.model import PortRange

__all__ = ["IsAllowed", "judge_sockets", "listens_only"]

IsAllowed = Callable[[OpenSocket], bool]
"""Whether a part may hold a socket."""

_SHOWN_MAX = 4


def listens_only(target: Target, part: str, is_allowed: IsAllowed) -> Outcome:
    """Return whether a part holds no socket but those that are allowed."""
    pid = target.pids.get(part)
    if pid is None:
        return NotTried(f"{part} does not run")
    try:
        found = open_sockets(pid)
    except PermissionError:
        return NotTried(f"the processes of {part} may not be looked at; run it as their owner")
    return judge_sockets(found, is_allowed)


def judge_sockets(found: Collection[OpenSocket], is_allowed: IsAllowed) -> Outcome:
    """Return what a part's sockets come to."""
    wrong = sorted(str(one) for one in found if not is_allowed(one))
    right = sorted(str(one) for one in found if is_allowed(one))
    more = f" and {len(right) - _SHOWN_MAX} more" if len(right) > _SHOWN_MAX else ""
    held = f"{', '.join(right[:_SHOWN_MAX])}{more}" if right else "no socket"
    return judge(held, wrong, tried=1)


def within(ports: PortRange, port: int) -> bool:
    """Return whether a port is in a range."""
    return ports.first <= port <= ports.last
