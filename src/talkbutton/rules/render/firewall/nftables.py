"""Writes a zone's firewall for nftables: one table of our own, replaced whole or not at all. Pure.

The kernel may be given the same text again and again; other tables are left alone. (``fwd`` is a
word of the language, so no chain may be called that.)

Source: nft(8), RFC 4890 for what ICMPv6 needs.
"""

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Literal

from talkbutton.rules.render.firewall.model import End, Exit, Opening, ZoneRules
from talkbutton.settings.model import PortRange

__all__ = ["TABLE", "render_nftables"]

TABLE = "talkbutton"
"""Name of the table, of the family ``inet``."""

_BURST_FACTOR = 3
_SOURCES_MAX = 65_535
_LOG = "limit rate 6/minute burst 10 packets log level info prefix"
_FAMILIES: tuple[Literal[4, 6], ...] = (4, 6)
_WORD = {4: "ip", 6: "ip6"}

_ALWAYS = """\
        iif "lo" accept
        ct state vmap { invalid : drop, established : accept, related : accept }

        # Without these, paths with a small MTU stall and IPv6 finds no neighbour.
        icmp type { destination-unreachable, time-exceeded, parameter-problem } accept
        icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } ip6 hoplimit 255 accept
        icmp type echo-request limit rate 20/second accept
        icmpv6 type echo-request limit rate 20/second accept
        udp sport 67 udp dport 68 accept comment "DHCP"
        ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept comment "DHCPv6"\
"""  # noqa: E501 - lines of another language


def render_nftables(rules: ZoneRules) -> str:
    """Return the text for ``nft -f``."""
    reserved = ",".join(_ports(ports) for ports in rules.reserved)
    blocks = [
        f"# Firewall of the {rules.zone} zone, written by talkbutton from talkbutton.toml.",
        "# Whatever is not opened here is closed, on IPv4 and IPv6. Programs of others must not",
        f"# be given these ports: sysctl -w net.ipv4.ip_local_reserved_ports={reserved}",
        f"table inet {TABLE}",
        f"delete table inet {TABLE}",
        "",
        f"table inet {TABLE} {{",
        *_sets(rules),
        *_newcomers(rules.connections_per_s),
        *_arriving(rules.openings, rules.networks),
        *_passing(),
        *_leaving(rules.exits, rules.networks),
        "}",
    ]
    return "\n".join(blocks) + "\n"


def _sets(rules: ZoneRules) -> list[str]:
    lines = []
    for name, networks in rules.networks.items():
        for family in _FAMILIES:
            if members := _of_family(networks, family):
                lines += [
                    f"    set {name}_v{family} {{",
                    f"        type ipv{family}_addr; flags interval; auto-merge",
                    f"        elements = {{ {', '.join(members)} }}",
                    "    }",
                ]
    for family in _FAMILIES:
        lines += [
            f"    set newcomers_v{family} {{",
            f"        type ipv{family}_addr; flags dynamic, timeout; timeout 1m",
            f"        size {_SOURCES_MAX}",
            "    }",
        ]
    return lines


def _newcomers(per_s: int) -> list[str]:
    """Return the chain that counts new connections by IPv4 address and IPv6 /64."""
    over = f"limit rate over {per_s}/second burst {per_s * _BURST_FACTOR} packets"
    network = "ip6 saddr & ffff:ffff:ffff:ffff::"
    return [
        "",
        "    chain newcomers {",
        f"        meta nfproto ipv4 add @newcomers_v4 {{ ip saddr {over} }} jump refused",
        f"        meta nfproto ipv6 add @newcomers_v6 {{ {network} {over} }} jump refused",
        "    }",
        "",
        "    chain refused {",
        f'        {_LOG} "{TABLE} refused: "',
        "        drop",
        "    }",
    ]


def _arriving(openings: tuple[Opening, ...], networks: Mapping[End, tuple[str, ...]]) -> list[str]:
    limited = [_ports(opening.ports) for opening in openings if opening.is_limited]
    lines = [
        "",
        "    chain arriving {",
        "        type filter hook input priority filter; policy drop;",
        _ALWAYS,
        "",
    ]
    if limited:
        lines.append(f"        tcp dport {{ {', '.join(dict.fromkeys(limited))} }} jump newcomers")
    for opening in openings:
        lines += [
            f'        {who}{_transport(opening)} accept comment "{opening.purpose}"'
            for who in _matches(opening.source, "saddr", networks)
        ]
    return [*lines, "        jump refused", "    }"]


def _passing() -> list[str]:
    return [
        "",
        "    # This machine is no router.",
        "    chain passing {",
        "        type filter hook forward priority filter; policy drop;",
        "    }",
    ]


def _leaving(exits: tuple[Exit, ...], networks: Mapping[End, tuple[str, ...]]) -> list[str]:
    lines = [
        "",
        "    chain leaving {",
        "        type filter hook output priority filter; policy accept;",
        "        ct state { established, related } accept",
        "        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept",
    ]
    for leaving in exits:
        verdict = "accept" if leaving.is_allowed else "jump refused"
        for where in _matches(leaving.to, "daddr", networks):
            what = f"{where}{_transport(leaving)}".strip()
            lines.append(f'        {what} {verdict} comment "{leaving.purpose}"')
    return [*lines, "    }"]


def _matches(who: End, field: str, networks: Mapping[End, tuple[str, ...]]) -> list[str]:
    """Return the starts of the rules for an end of the way: one for each family it has."""
    match who:
        case "internet" | "anywhere":
            return [""]
        case "self":
            return ['oif "lo" ']
        case _:
            return [
                f"{_WORD[family]} {field} @{who}_v{family} "
                for family in _FAMILIES
                if _of_family(networks[who], family)
            ]


def _transport(way: Opening | Exit) -> str:
    if way.protocol is None:
        return ""
    words = []
    if way.source_ports is not None:
        words.append(f"{way.protocol} sport {_ports(way.source_ports)}")
    targets = (way.ports,) if isinstance(way.ports, PortRange) else way.ports
    if len(targets) == 1:
        words.append(f"{way.protocol} dport {_ports(targets[0])}")
    elif targets:
        words.append(f"{way.protocol} dport {{ {', '.join(_ports(one) for one in targets)} }}")
    return " ".join(words) or f"meta l4proto {way.protocol}"


def _ports(ports: PortRange) -> str:
    return str(ports.first) if ports.first == ports.last else f"{ports.first}-{ports.last}"


def _of_family(networks: tuple[str, ...], family: int) -> list[str]:
    parsed = (ip_network(network, strict=False) for network in networks)
    return [str(network) for network in parsed if network.version == family]
