"""Attacks on the public edge: sessions, grants, the signaling socket, the answers' headers.

Few requests, and one real grant in a run: the edge counts this machine's requests as it counts a
visitor's, and a patient attacker waits as the edge asks for. The honest visitor comes first, before
the attacks make the edge suspicious.
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
    return [*grant_probes(visitor), *origin_probes(visitor), *request_probes(visitor)]
