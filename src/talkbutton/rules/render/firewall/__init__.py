"""Each zone's firewall: one model, written for nftables, ufw and cloud security groups."""

from talkbutton.rules.render.firewall.groups import render_groups, render_groups_json
from talkbutton.rules.render.firewall.model import (
    Destination,
    Exit,
    Opening,
    Source,
    Zone,
    ZoneRules,
)
from talkbutton.rules.render.firewall.nftables import TABLE, render_nftables
from talkbutton.rules.render.firewall.ufw import render_ufw
from talkbutton.rules.render.firewall.zones import EPHEMERAL_PORTS, zone_rules

__all__ = [
    "EPHEMERAL_PORTS",
    "TABLE",
    "Destination",
    "Exit",
    "Opening",
    "Source",
    "Zone",
    "ZoneRules",
    "render_groups",
    "render_groups_json",
    "render_nftables",
    "render_ufw",
    "zone_rules",
]
