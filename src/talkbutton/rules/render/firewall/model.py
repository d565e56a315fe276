"""Who may reach which port from where: one model for each zone, derived from Settings. Pure.

    edge        the public machine: edge, keeper, Janus, coturn
    core        Asterisk
    app         bridge, speech workers, Redis
    all-in-one  everything on one machine; what is private stays on its loopback device

Whatever is not opened is closed. What one machine says to itself is not filtered on arrival.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from talkbutton.settings.model import PortRange

__all__ = ["Destination", "End", "Exit", "Opening", "Protocol", "Source", "Zone", "ZoneRules"]

Zone = Literal["edge", "core", "app", "all-in-one"]
Protocol = Literal["tcp", "udp"]
Source = Literal["internet", "operator", "proxy", "edge", "core", "app"]
Destination = Literal["anywhere", "self", "edge", "core", "app"]
End = Source | Destination


@dataclass(frozen=True, slots=True)
class Opening:
    """Ports of this machine that others may reach.

    Attributes:
        purpose: What is there, for people.
        protocol: Transport.
        ports: Ports of this machine.
        source: Who may reach them.
        source_ports: Only from these ports of theirs; None for any.
        is_limited: Each source may open so many connections a second and no more.
    """

    purpose: str
    protocol: Protocol
    ports: PortRange
    source: Source
    source_ports: PortRange | None = None
    is_limited: bool = False


@dataclass(frozen=True, slots=True)
class Exit:
    """Whether this machine may send somewhere; the first that fits decides, and none allows.

    Attributes:
        purpose: What is sent, or why not, for people.
        is_allowed: Whether it may.
        to: Where to; ``self`` is this machine.
        protocol: Transport; None for all.
        source_ports: Only from these ports of this machine; None for any.
        ports: Only to these ports; empty for any.
    """

    purpose: str
    is_allowed: bool
    to: Destination
    protocol: Protocol | None = None
    source_ports: PortRange | None = None
    ports: tuple[PortRange, ...] = ()


@dataclass(frozen=True, slots=True)
class ZoneRules:
    """The firewall of one machine.

    Attributes:
        zone: Its zone.
        openings: What others may reach.
        exits: What it may and may not send, in order.
        networks: Addresses and networks by the name they have in openings and exits.
        connections_per_s: For openings that are limited.
        reserved: Ports that belong to a part; the kernel should not choose them for others, whose
            packets would be taken for that part's.
    """

    zone: Zone
    openings: tuple[Opening, ...]
    exits: tuple[Exit, ...]
    networks: Mapping[End, tuple[str, ...]]
    connections_per_s: int
    reserved: tuple[PortRange, ...]
