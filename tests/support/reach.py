"""Says from a zone's rules whether a packet passes: the model, read by tests."""

from talkbutton.rules.render.firewall import Destination, Exit, Opening, Source, ZoneRules
from talkbutton.settings.model import PortRange

__all__ = ["admits", "lets_out"]


def admits(rules: ZoneRules, source: Source, protocol: str, port: int, source_port: int) -> bool:
    """Return whether ``source`` reaches a port; every source is on the internet as well."""
    return any(
        opening.protocol == protocol
        and opening.source in {source, *_everybody(rules)}
        and _is_in(opening.ports, port)
        and _comes_from(opening, source_port)
        for opening in rules.openings
    )


def lets_out(rules: ZoneRules, to: Destination, protocol: str, port: int, source_port: int) -> bool:
    """Return whether a packet may leave for ``to``; the first rule that fits decides."""
    for leaving in rules.exits:
        if (
            leaving.to in (to, "anywhere")
            and leaving.protocol in (None, protocol)
            and (not leaving.ports or any(_is_in(ports, port) for ports in leaving.ports))
            and _comes_from(leaving, source_port)
        ):
            return leaving.is_allowed
    return True


def _everybody(rules: ZoneRules) -> set[Source]:
    """Return the sources that everybody belongs to."""
    is_open = "0.0.0.0/0" in rules.networks.get("operator", ())
    return {"internet", "operator"} if is_open else {"internet"}


def _comes_from(rule: Opening | Exit, source_port: int) -> bool:
    return rule.source_ports is None or _is_in(rule.source_ports, source_port)


def _is_in(ports: PortRange, port: int) -> bool:
    return ports.first <= port <= ports.last
