"""Attacks on the public edge: sessions, grants, the signaling socket, the answers' headers.

Few requests, and one real grant in a run: the edge counts this machine's requests as it counts a
visitor's. An answer 429 therefore means that nobody can tell.
"""

from talkbutton.operate.doctor.grants import grant_probes
from talkbutton.operate.doctor.origins import origin_probes
from talkbutton.operate.doctor.probe import Probe
from talkbutton.operate.doctor.requests import request_probes
from talkbutton.operate.doctor.target import Target
from talkbutton.operate.doctor.visitor import OddVisitor

__all__ = ["sessions_probes"]


def sessions_probes(target: Target) -> list[Probe]:
    """Return the attacks on a deployment's edge."""
    visitor = OddVisitor(target)
    return [*origin_probes(visitor), *request_probes(visitor), *grant_probes(visitor)]
