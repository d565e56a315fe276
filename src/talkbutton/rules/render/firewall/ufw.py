"""Writes a zone's firewall as ufw commands, for people who keep theirs with ufw. Pure.

ufw has its own rules before these: ICMP, what is established, and all of loopback; what a machine
may say to itself is therefore not among them, and neither is a limit fit for a web server.

Source: ufw(8).
"""

import shlex
from collections.abc import Mapping

from talkbutton.rules.render.firewall.model import End, Exit, Opening, ZoneRules
from talkbutton.settings.model import PortRange

__all__ = ["render_ufw"]


def render_ufw(rules: ZoneRules) -> str:
    """Return a shell script of ufw commands; it opens SSH before it closes everything else."""
    lines = [
        f"# Firewall of the {rules.zone} zone, written by talkbutton from talkbutton.toml.",
        "# ufw can neither limit connections for each address at a rate that suits websites, nor",
        "# fence what this machine says to itself: the nftables form does both.",
        "set -e",
    ]
    lines += [line for one in reversed(rules.openings) for line in _opening(one, rules.networks)]
    lines += [
        line for one in rules.exits if one.to != "self" for line in _exit(one, rules.networks)
    ]
    lines += [
        "ufw default deny incoming",
        "ufw default deny routed",
        "ufw default allow outgoing",
        "ufw --force enable",
    ]
    return "\n".join(lines) + "\n"


def _opening(opening: Opening, networks: Mapping[End, tuple[str, ...]]) -> list[str]:
    lines = []
    for network in _networks(opening.source, networks):
        words = ["ufw", "allow", "proto", opening.protocol, "from", network]
        if opening.source_ports is not None:
            words += ["port", _ports(opening.source_ports)]
        words += ["to", "any", "port", _ports(opening.ports), "comment", opening.purpose]
        lines.append(shlex.join(words))
    return lines


def _exit(leaving: Exit, networks: Mapping[End, tuple[str, ...]]) -> list[str]:
    lines = []
    for network in _networks(leaving.to, networks):
        for target in leaving.ports or (None,):
            words = ["ufw", "allow" if leaving.is_allowed else "deny", "out"]
            if leaving.protocol is not None:
                words += ["proto", leaving.protocol]
            words += ["from", "any"]
            if leaving.source_ports is not None:
                words += ["port", _ports(leaving.source_ports)]
            words += ["to", network]
            if target is not None:
                words += ["port", _ports(target)]
            lines.append(shlex.join([*words, "comment", leaving.purpose]))
    return lines


def _networks(who: End, networks: Mapping[End, tuple[str, ...]]) -> tuple[str, ...]:
    if who in ("internet", "anywhere", "self"):
        return ("any",)
    return networks[who]


def _ports(ports: PortRange) -> str:
    return str(ports.first) if ports.first == ports.last else f"{ports.first}:{ports.last}"
