"""What the firewall must be told: the machines of the other zones, and who may log in. Pure."""

from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, Field

from talkbutton.settings.blocks import Block, Port, refused

__all__ = ["FirewallSettings"]


def _network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError:
        hint = "write an address or a network, such as 10.1.0.0/24"
        raise refused("is no network", hint) from None
    return text


def _machines(text: str) -> str:
    if ip_network(_network(text)).prefixlen == 0:
        raise refused("is everybody", "name the addresses of that zone's own machines")
    return text


Networks = Annotated[
    tuple[Annotated[str, AfterValidator(_network)], ...], Field(min_length=1, max_length=64)
]
Machines = Annotated[tuple[Annotated[str, AfterValidator(_machines)], ...], Field(max_length=64)]


class FirewallSettings(Block):
    """For ``talkbutton config firewall``.

    Zones are named by the addresses that their machines have towards the others. With all parts
    on one machine none is needed.
    """

    edge_addresses: Machines = ()
    """Machines with the edge, the keeper, Janus and coturn."""

    core_addresses: Machines = ()
    """Machines with Asterisk."""

    app_addresses: Machines = ()
    """Machines with the bridge, the speech workers and Redis."""

    operator_networks: Networks = ("0.0.0.0/0", "::/0")
    """Where operators log in from by SSH. Everywhere, until you know better: a firewall that
    locks its owner out is switched off."""

    ssh_port: Port = 22
    """TCP port of SSH."""

    connections_per_address_and_s: Annotated[int, Field(ge=1, le=10_000)] = 20
    """New TCP connections a second that one IPv4 address or IPv6 /64 may make to the public
    ports. Three times as many pass at once."""
