"""From a network to what must be done in which namespace. Pure.

Namespaces: ``visitor``, ``r1``, ``r2``, ... from the visitor outwards, ``internet``, ``server``.
Interfaces: ``wan`` towards the server, ``lan`` towards the visitor. Addresses come from the blocks
for documentation (RFC 5737, RFC 3849) and, behind NATs, from private and shared space (RFC 1918,
RFC 6598).
"""

import itertools
from dataclasses import dataclass
from typing import Literal

from talkbutton.operate.natlab.network import Network, Router

__all__ = [
    "PROXY_PORT",
    "SERVER_V4",
    "SERVER_V4_OTHER",
    "SERVER_V6",
    "Cable",
    "Plan",
    "Step",
    "plan",
]

SERVER_V4 = "203.0.113.10"
"""Where the server is."""

SERVER_V4_OTHER = "203.0.113.11"
"""The server's second address, to tell NATs apart."""

SERVER_V6 = "2001:db8:10::10"
"""Where the server is by IPv6."""

PROXY_PORT = 3128
"""TCP port of the proxy on the router nearest to the visitor."""

_SERVER_GATEWAY_V4 = "203.0.113.1"
_SERVER_GATEWAY_V6 = "2001:db8:10::1"
_OUTSIDE_V4 = "198.51.100"
_VISITOR_V6 = "2001:db8:20"
_WEATHER_TABLE = "77"
_WEATHER_DEVICE = "weather"

Kind = Literal["ip", "nft", "sysctl"]


@dataclass(frozen=True, slots=True)
class Cable:
    """A cable: ``wan`` of the inner namespace is ``outer_name`` in the outer one.

    Attributes:
        inner: Namespace nearer to the visitor.
        outer: Namespace nearer to the server.
        v4: First three bytes of its IPv4 network; the outer end is .1, the inner .2.
        v6: First part of its IPv6 network; None without one.
        outer_name: Name of the interface at the outer end.
    """

    inner: str
    outer: str
    v4: str | None
    v6: str | None
    outer_name: str = "lan"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do in a namespace.

    Attributes:
        namespace: Where.
        kind: What runs it: ``ip -n``, ``nft -f``, or ``sysctl -w``.
        words: Arguments; for ``nft`` one text.
    """

    namespace: str
    kind: Kind
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that makes a network.

    Attributes:
        namespaces: All of them, from the visitor to the server.
        cables: Cables between neighbours.
        steps: In order, once namespaces and cables are there.
        has_weather: Whether the internet's packets pass the device ``weather``.
        proxy_address: Where the visitor finds the proxy; None without one.
    """

    namespaces: tuple[str, ...]
    cables: tuple[Cable, ...]
    steps: tuple[Step, ...]
    has_weather: bool
    proxy_address: str | None


def plan(network: Network) -> Plan:
    """Return what makes ``network``."""
    routers = tuple(f"r{number}" for number in range(1, len(network.routers) + 1))
    namespaces = ("visitor", *routers, "internet", "server")
    cables = _cables(network, namespaces)
    steps = [step for cable in cables for step in _address(cable)]
    steps += _forwarding(namespaces[1:-1])
    steps += _routes(cables)
    for name, router in zip(routers, network.routers, strict=True):
        inner = next(f"{cable.v4}.2" for cable in cables if cable.outer == name)
        steps.append(Step(name, "nft", (_ruleset(router, inner),)))
        for suffix in ("", "_stream"):
            setting = f"net.netfilter.nf_conntrack_udp_timeout{suffix}={router.mapping_s}"
            steps.append(Step(name, "sysctl", (setting,)))
    if network.dead_families:
        steps.append(Step("internet", "nft", (_black_hole(network),)))
    if network.weather is not None:
        steps += _through_weather()
    has_proxy = any(router.has_proxy for router in network.routers)
    proxy = f"{cables[0].v4}.1" if has_proxy else None
    return Plan(namespaces, cables, tuple(steps), network.weather is not None, proxy)


def _cables(network: Network, namespaces: tuple[str, ...]) -> tuple[Cable, ...]:
    has_v4, has_v6 = "ipv4" in network.families, "ipv6" in network.families
    cables = []
    for number, (inner, outer) in enumerate(itertools.pairwise(namespaces[:-1])):
        is_outside = outer == "internet"
        behind_carrier = f"100.64.{number}"
        private = f"192.168.{number + 1}" if number == 0 else behind_carrier
        v4 = _OUTSIDE_V4 if is_outside else private
        v6 = f"{_VISITOR_V6}{number}:" if has_v6 else None
        cables.append(Cable(inner, outer, v4 if has_v4 else None, v6))
    server = Cable("server", "internet", "203.0.113", "2001:db8:10:", outer_name="servers")
    return (*cables, server)


def _address(cable: Cable) -> list[Step]:
    is_server = cable.inner == "server"
    steps = []
    for namespace, device, host in (
        (cable.inner, "wan", "10" if is_server else "2"),
        (cable.outer, cable.outer_name, "1"),
    ):
        if cable.v4 is not None:
            steps.append(_ip(namespace, f"addr add {cable.v4}.{host}/24 dev {device}"))
        if cable.v6 is not None:
            steps.append(_ip(namespace, f"addr add {cable.v6}:{host}/64 dev {device}"))
        steps.append(_ip(namespace, f"link set {device} up"))
    if is_server:
        steps.append(_ip("server", f"addr add {SERVER_V4_OTHER}/24 dev wan"))
    return steps


def _forwarding(routers: tuple[str, ...]) -> list[Step]:
    settings = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    return [Step(name, "sysctl", (setting,)) for name in routers for setting in settings]


def _routes(cables: tuple[Cable, ...]) -> list[Step]:
    steps = []
    for cable in cables[:-1]:
        if cable.v4 is not None:
            steps.append(_ip(cable.inner, f"route add default via {cable.v4}.1"))
        if cable.v6 is not None:
            steps.append(_ip(cable.inner, f"-6 route add default via {cable.v6}:1"))
    # The server knows the open internet and nothing behind a NAT.
    steps.append(_ip("server", f"route add {_OUTSIDE_V4}.0/24 via {_SERVER_GATEWAY_V4}"))
    steps.append(_ip("server", f"-6 route add 2001:db8::/32 via {_SERVER_GATEWAY_V6}"))
    return steps


def _ruleset(router: Router, inner: str) -> str:
    udp_in = {
        "endpoint_independent": f'iifname "wan" meta l4proto udp dnat to {inner}',
        "address_dependent": f'iifname "wan" meta l4proto udp ip saddr @written dnat to {inner}',
        "address_and_port_dependent": "",
    }[router.filtering]
    ports = "random,fully-random" if router.is_symmetric else ""
    rules = [
        'iifname "wan" ct state established,related accept',
        'iifname "wan" ct status dnat accept',
        'iifname "wan" drop',
        f"meta l4proto udp update @written {{ ip daddr timeout {router.mapping_s}s }}",
        *_firewall(router),
    ]
    return f"""\
table ip lab {{
  set written {{ type ipv4_addr; flags dynamic, timeout; timeout {router.mapping_s}s; }}
  chain incoming {{
    type nat hook prerouting priority dstnat;
    {udp_in}
  }}
  chain outgoing {{
    type nat hook postrouting priority srcnat;
    oifname "wan" masquerade {ports}
  }}
  chain passing {{
    type filter hook forward priority filter;
    {chr(10).join(f"    {rule}" for rule in rules).strip()}
  }}
  chain own {{
    type filter hook input priority filter;
    iifname "wan" ct state established,related accept
    iifname "wan" drop
  }}
}}
"""


def _firewall(router: Router) -> list[str]:
    rules = ["meta l4proto udp drop"] if router.is_udp_blocked else []
    if router.tcp_ports is not None:
        allowed = ", ".join(str(port) for port in router.tcp_ports)
        rules.append(f"tcp dport != {{ {allowed} }} reject" if allowed else "meta l4proto tcp drop")
    return rules


def _black_hole(network: Network) -> str:
    chains = "\n".join(f"    meta nfproto {family} drop" for family in network.dead_families)
    return f"""\
table inet lab {{
  chain passing {{
    type filter hook forward priority filter;
{chains}
  }}
}}
"""


def _through_weather() -> list[Step]:
    """Send what the internet forwards through a device; what comes back from it goes on."""
    steps = [
        _ip("internet", f"tuntap add dev {_WEATHER_DEVICE} mode tun"),
        _ip("internet", f"link set {_WEATHER_DEVICE} up"),
    ]
    for family in ("-4", "-6"):
        steps += [
            _ip(
                "internet",
                f"{family} route add default dev {_WEATHER_DEVICE} table {_WEATHER_TABLE}",
            ),
            _ip("internet", f"{family} rule add iif lan table {_WEATHER_TABLE}"),
            _ip("internet", f"{family} rule add iif servers table {_WEATHER_TABLE}"),
        ]
    for name in ("all", _WEATHER_DEVICE):
        steps.append(Step("internet", "sysctl", (f"net.ipv4.conf.{name}.rp_filter=0",)))
    return steps


def _ip(namespace: str, words: str) -> Step:
    return Step(namespace, "ip", tuple(words.split()))
