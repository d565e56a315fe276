"""The networks that visitors sit in, as values: what the laboratory builds. Pure.

    visitor --- router --- router ... --- internet (weather) --- server

A network is described from the visitor outwards. The server end is always the same: two public
addresses of each family, no route back to anything private.

Source: RFC 4787 (behaviour of NATs: mapping and filtering), RFC 6888 (carrier-grade NAT).
"""

from dataclasses import dataclass
from typing import Literal

from talkbutton.operate.natlab.link import Weather

__all__ = ["NETWORKS", "Family", "Filtering", "Network", "Router"]

Family = Literal["ipv4", "ipv6"]
Filtering = Literal["endpoint_independent", "address_dependent", "address_and_port_dependent"]
"""Who may answer through a mapping: anybody, an address that was written to, or just that port."""


@dataclass(frozen=True, slots=True)
class Router:
    """A box with a NAT for IPv4 and a firewall.

    Attributes:
        filtering: Who may send through a mapping (RFC 4787, section 5).
        is_symmetric: Each destination gets a mapping of its own ("address and port dependent
            mapping"); only with the strictest filtering.
        mapping_s: Seconds without a packet after which a UDP mapping is forgotten.
        is_udp_blocked: No UDP passes.
        tcp_ports: The only TCP ports that may be reached; None for all.
        has_proxy: Nothing passes but HTTPS through the proxy on the router (HTTP CONNECT to 443).
    """

    filtering: Filtering = "address_and_port_dependent"
    is_symmetric: bool = False
    mapping_s: int = 120
    is_udp_blocked: bool = False
    tcp_ports: tuple[int, ...] | None = None
    has_proxy: bool = False

    def __post_init__(self) -> None:
        if self.is_symmetric and self.filtering != "address_and_port_dependent":
            raise ValueError("a symmetric NAT filters by address and port")


@dataclass(frozen=True, slots=True)
class Network:
    """Where a visitor sits.

    Attributes:
        name: Short, for commands and tables.
        says: What it stands for.
        routers: From the visitor outwards; none puts the visitor on the open internet.
        families: What the visitor has addresses of.
        dead_families: Of these, those whose packets vanish on the way.
        weather: What the internet does to packets, each way.
    """

    name: str
    says: str
    routers: tuple[Router, ...] = ()
    families: tuple[Family, ...] = ("ipv4",)
    dead_families: tuple[Family, ...] = ()
    weather: Weather | None = None

    def __post_init__(self) -> None:
        if self.routers and self.families != ("ipv4",):
            raise ValueError("routers are built for IPv4 alone")


_WEB_ONLY = (80, 443)

_CATALOGUE = (
    Network("open", "a public address"),
    Network(
        "full-cone",
        "NAT that lets anybody answer (RFC 4787: endpoint-independent filtering)",
        (Router(filtering="endpoint_independent"),),
    ),
    Network(
        "address-restricted",
        "NAT that lets answer who was written to, from any port",
        (Router(filtering="address_dependent"),),
    ),
    Network("port-restricted", "NAT of an ordinary home router", (Router(),)),
    Network("symmetric", "NAT with a port for each destination", (Router(is_symmetric=True),)),
    Network("carrier", "NAT behind a carrier's NAT", (Router(), Router(is_symmetric=True))),
    Network("forgetful", "NAT that forgets after 15 s of silence", (Router(mapping_s=15),)),
    Network("no-udp", "UDP blocked", (Router(is_udp_blocked=True),)),
    Network(
        "only-443",
        "nothing but TCP 443",
        (Router(is_udp_blocked=True, tcp_ports=(443,)),),
    ),
    Network(
        "proxy",
        "nothing but HTTPS through a proxy",
        (Router(is_udp_blocked=True, tcp_ports=(), has_proxy=True),),
    ),
    Network(
        "captive",
        "the web works, media does not",
        (Router(is_udp_blocked=True, tcp_ports=_WEB_ONLY),),
    ),
    Network("ipv6", "IPv6 only", families=("ipv6",)),
    Network(
        "broken-ipv6",
        "IPv4 and an IPv6 that leads nowhere",
        families=("ipv4", "ipv6"),
        dead_families=("ipv6",),
    ),
    Network(
        "mobile",
        "100 ms and 3 % loss in bursts, behind a carrier's NAT",
        (Router(is_symmetric=True),),
        weather=Weather(latency_ms=50, jitter_ms=20, to_bad=0.0125, to_good=0.25, loss_bad=0.6),
    ),
    Network(
        "satellite",
        "600 ms there and back",
        (Router(),),
        weather=Weather(latency_ms=300, jitter_ms=10),
    ),
    Network(
        "narrow",
        "64 kbit/s both ways",
        (Router(),),
        weather=Weather(latency_ms=20, rate_bytes_per_s=8_000, queue_bytes=8_000),
    ),
)

NETWORKS = {network.name: network for network in _CATALOGUE}
"""Every network of the laboratory by its name."""
