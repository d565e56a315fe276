"""All probes of a deployment, and the choice among them. Pure."""

from collections.abc import Callable, Mapping, Sequence

from talkbutton.operate.doctor.asterisk import asterisk_probes
from talkbutton.operate.doctor.files import files_probes
from talkbutton.operate.doctor.janus import janus_probes
from talkbutton.operate.doctor.parts import parts_probes
from talkbutton.operate.doctor.probe import AREAS, Area, Probe
from talkbutton.operate.doctor.sessions import sessions_probes
from talkbutton.operate.doctor.settings import settings_probes, versions_probes
from talkbutton.operate.doctor.target import Target
from talkbutton.operate.doctor.turn import turn_probes

__all__ = ["all_probes", "choose_probes"]

_MAKERS: Mapping[Area, Callable[[Target], list[Probe]]] = {
    "turn": turn_probes,
    "sessions": sessions_probes,
    "janus": janus_probes,
    "asterisk": asterisk_probes,
    "parts": parts_probes,
    "files": files_probes,
    "versions": versions_probes,
    "settings": settings_probes,
}


def all_probes(target: Target) -> list[Probe]:
    """Return every probe of a deployment, in the order of the report."""
    return [probe for area in AREAS for probe in _MAKERS[area](target)]


def choose_probes(probes: Sequence[Probe], only: Sequence[str]) -> list[Probe]:
    """Return the probes that ``only`` names, by area or by name; all where it is empty.

    Raises:
        ValueError: If a name is neither, with a sentence for the operator.
    """
    known = {probe.name for probe in probes} | set(AREAS)
    if unknown := [name for name in only if name not in known]:
        raise ValueError(f"{unknown[0]} is no area and no probe; areas are {', '.join(AREAS)}")
    if not only:
        return list(probes)
    return [probe for probe in probes if probe.area in only or probe.name in only]
