"""What the firewall must be told: the machines of the other zones, and who may log in. Pure."""

from typing import Annotated

from pydantic import Field

from talkbutton.settings.blocks import Block, Network, Port

__all__ = ["FirewallSettings"]

Networks = Annotated[tuple[Network, ...], Field(max_length=64)]


class FirewallSettings(Block):
    """For ``talkbutton config firewall``.

    Zones are named by the addresses that their machines have towards the others. With all parts
    on one machine none is needed.
    """

    edge_addresses: Networks = ()
    """Machines with the edge, the keeper, Janus and coturn."""

    core_addresses: Networks = ()
    """Machines with Asterisk."""

    app_addresses: Networks = ()
    """Machines with the bridge, the speech workers and Redis."""

    operator_networks: Networks = ("0.0.0.0/0", "::/0")
    """Where operators log in from by SSH. Everywhere, until you know better: a firewall that
    locks its owner out is switched off."""

    ssh_port: Port = 22
    """TCP port of SSH."""

    connections_per_address_and_s: Annotated[int, Field(ge=1, le=10_000)] = 20
    """New TCP connections a second that one IPv4 address or IPv6 /64 may make to the public
    ports. Three times as many pass at once."""
