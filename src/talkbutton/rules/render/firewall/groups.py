"""Lists a zone's openings as cloud security groups know them: permissions to come in. Pure.

A security group allows and never denies, and knows no source ports. So the listing holds what
comes in; what a machine must not send is for the nftables form on the machine itself.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from talkbutton.rules.render.firewall.model import End, Opening, Protocol, Source, ZoneRules

__all__ = ["Permission", "permissions", "render_groups", "render_groups_json"]

_EVERYWHERE = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True, slots=True)
class Permission:
    """One line of a security group.

    Attributes:
        protocol: Transport.
        first: First port.
        last: Last port, inclusive.
        source: Who, by role; a cloud's own group for that zone can stand for the networks.
        networks: The same as networks in CIDR form.
        purpose: What is there.
    """

    protocol: Protocol
    first: int
    last: int
    source: Source
    networks: tuple[str, ...]
    purpose: str


def permissions(rules: ZoneRules) -> list[Permission]:
    """Return what may come in."""
    return [_permission(opening, rules.networks) for opening in rules.openings]


def render_groups(rules: ZoneRules) -> str:
    """Return the listing as a table for people."""
    lines = [f"security group of the {rules.zone} zone: incoming; all else is closed", ""]
    for one in permissions(rules):
        who = f"{one.source:<9} {', '.join(one.networks):<36}"
        lines.append(f"{one.protocol}  {_span(one):<12} {who} {one.purpose}")
    return "\n".join(lines) + "\n"


def render_groups_json(rules: ZoneRules) -> str:
    """Return the listing for programs."""
    incoming: list[Mapping[str, Any]] = [
        {
            "protocol": one.protocol,
            "from_port": one.first,
            "to_port": one.last,
            "source": one.source,
            "cidrs": list(one.networks),
            "description": one.purpose,
        }
        for one in permissions(rules)
    ]
    return json.dumps({"zone": rules.zone, "ingress": incoming}, indent=2) + "\n"


def _permission(opening: Opening, networks: Mapping[End, tuple[str, ...]]) -> Permission:
    named = _EVERYWHERE if opening.source == "internet" else networks[opening.source]
    return Permission(
        opening.protocol,
        opening.ports.first,
        opening.ports.last,
        opening.source,
        tuple(str(ip_network(network, strict=False)) for network in named),
        opening.purpose,
    )


def _span(one: Permission) -> str:
    return str(one.first) if one.first == one.last else f"{one.first}-{one.last}"
