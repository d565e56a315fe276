"""Derives each zone's firewall from Settings. Pure."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from talkbutton.errors import SettingsError
from talkbutton.rules.render.firewall.model import End, Exit, Opening, Source, Zone, ZoneRules
from talkbutton.settings.model import PortRange, Settings

__all__ = ["EPHEMERAL_PORTS", "zone_rules"]

EPHEMERAL_PORTS = PortRange(first=32_768, last=60_999)
"""Where Linux takes free ports from. Janus's SIP plugin listens on one: it has no setting."""

_SOMEWHERE = "192.0.2.1"
"""Stands for a media address that this machine alone knows; it is never a loopback address."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_MACHINES: dict[End, str] = {
    "edge": "the edge, Janus and coturn",
    "core": "Asterisk",
    "app": "the bridge",
}


def zone_rules(settings: Settings, zone: Zone) -> ZoneRules:
    """Return the firewall of a machine of ``zone``.

    Raises:
        SettingsError: If it needs the addresses of another zone that are not set.
    """
    make = {"edge": _edge, "core": _core, "app": _app, "all-in-one": _all_in_one}[zone]
    openings, exits = make(settings)
    named: dict[End, tuple[str, ...]] = {
        "operator": settings.firewall.operator_networks,
        "proxy": settings.edge.trusted_proxies,
        "edge": settings.firewall.edge_addresses,
        "core": settings.firewall.core_addresses,
        "app": settings.firewall.app_addresses,
    }
    needed: set[End] = {opening.source for opening in openings} | {leaving.to for leaving in exits}
    networks = {name: found for name, found in named.items() if name in needed}
    _require(networks, zone)
    return ZoneRules(
        zone,
        (*openings, _ssh(settings)),
        tuple(exits),
        {**networks, "operator": settings.firewall.operator_networks},
        settings.firewall.connections_per_address_and_s,
        _reserved(settings),
    )


def _require(networks: dict[End, tuple[str, ...]], zone: Zone) -> None:
    for name, machines in _MACHINES.items():
        if name in networks and not networks[name]:
            raise SettingsError(
                f"firewall.{name}_addresses",
                f"is empty, and the firewall of the {zone} zone must know {machines}",
                hint="name those machines' addresses, or use --zone all-in-one",
            )


def _edge(settings: Settings) -> tuple[list[Opening], list[Exit]]:
    openings = [
        *_public(settings),
        Opening(
            "SIP from Asterisk to Janus",
            "udp",
            EPHEMERAL_PORTS,
            "core",
            source_ports=_one(settings.asterisk.sip_port),
        ),
        Opening("call media from Asterisk", "udp", settings.janus.sip_rtp_ports, "core"),
    ]
    sip = settings.asterisk.sip_port
    media, calls = settings.janus.rtp_ports, settings.janus.sip_rtp_ports
    exits = [
        *_relay_exits(settings),
        Exit("browsers' media never enters the core", False, "core", "udp", media),
        Exit("browsers' media never enters the app zone", False, "app", "udp", media),
        Exit("SIP to Asterisk", True, "core", "udp", None, (_one(sip),)),
        Exit("call media to Asterisk", True, "core", "udp", calls, (settings.asterisk.rtp_ports,)),
    ]
    if redis := _redis_port(settings):
        exits.append(Exit("Redis", True, "app", "tcp", None, (_one(redis),)))
    exits += [
        Exit("nothing else in the core", False, "core"),
        Exit("nothing else in the app zone", False, "app"),
    ]
    return openings, exits


def _core(settings: Settings) -> tuple[list[Opening], list[Exit]]:
    sip, rtp = settings.asterisk.sip_port, settings.asterisk.rtp_ports
    bridge, calls = settings.bridge.rtp_ports, settings.janus.sip_rtp_ports
    openings = [
        Opening("SIP from Janus", "udp", _one(sip), "edge"),
        Opening("call media from Janus", "udp", rtp, "edge", source_ports=calls),
        Opening("ARI for the bridge", "tcp", _one(settings.asterisk.http_port), "app"),
        Opening("call media from the bridge", "udp", rtp, "app", source_ports=bridge),
    ]
    exits = [
        Exit("SIP to Janus", True, "edge", "udp", _one(sip), (EPHEMERAL_PORTS,)),
        Exit("call media to Janus", True, "edge", "udp", rtp, (calls,)),
        Exit("nothing else in the edge zone", False, "edge"),
        Exit("call media to the bridge", True, "app", "udp", rtp, (bridge,)),
        Exit("nothing else in the app zone", False, "app"),
    ]
    return openings, exits


def _app(settings: Settings) -> tuple[list[Opening], list[Exit]]:
    rtp, bridge = settings.asterisk.rtp_ports, settings.bridge.rtp_ports
    openings = [
        Opening("call media from Asterisk", "udp", bridge, "core", source_ports=rtp),
    ]
    if redis := _redis_port(settings):
        openings.append(Opening("Redis for the edge", "tcp", _one(redis), "edge"))
    ari = _one(settings.asterisk.http_port)
    exits = [
        Exit("ARI", True, "core", "tcp", None, (ari,)),
        Exit("call media to Asterisk", True, "core", "udp", bridge, (rtp,)),
        Exit("nothing else in the core", False, "core"),
        Exit("nothing in the edge zone", False, "edge"),
    ]
    return openings, exits


def _all_in_one(settings: Settings) -> tuple[list[Opening], list[Exit]]:
    private = (
        _one(settings.asterisk.sip_port),
        settings.asterisk.rtp_ports,
        settings.janus.sip_rtp_ports,
        settings.bridge.rtp_ports,
    )
    inward = Exit(
        "browsers' media never enters what is private",
        False,
        "self",
        "udp",
        settings.janus.rtp_ports,
        private,
    )
    return _public(settings), [*_relay_exits(settings), inward]


def _public(settings: Settings) -> list[Opening]:
    """Return what browsers reach; nothing while the button is for this machine only."""
    web = _web(settings)
    if not web:
        return []
    turn = settings.turn
    openings = [
        *web,
        Opening("browsers' media (Janus)", "udp", settings.janus.rtp_ports, "internet"),
    ]
    if not ip_address(settings.turn_address(_SOMEWHERE)).is_loopback:
        openings += [
            Opening("TURN", "udp", _one(turn.port), "internet"),
            Opening("TURN", "tcp", _one(turn.port), "internet", is_limited=True),
        ]
        taken = {opening.ports.first for opening in web}
        for port in sorted({port for _, port in turn.other_listeners()}):
            openings.append(Opening("TURN", "udp", _one(port), "internet"))
            if port not in taken:
                openings.append(Opening("TURN", "tcp", _one(port), "internet", is_limited=True))
        if turn.tls_certificate is not None:
            tls = _one(turn.tls_port)
            openings.append(Opening("TURN over TLS", "tcp", tls, "internet", is_limited=True))
    return openings


def _web(settings: Settings) -> list[Opening]:
    edge = settings.edge
    if not ip_address(edge.listen_address).is_loopback:
        source: Source = "proxy" if edge.trusted_proxies else "internet"
        limited = source == "internet"  # a proxy brings everybody's connections
        return [Opening("the edge", "tcp", _one(edge.port), source, is_limited=limited)]
    url = urlsplit(edge.public_url)
    if _is_this_machine(url.hostname or ""):
        return []
    port = url.port or _DEFAULT_PORTS[url.scheme]
    fronts = [Opening("the front server", "tcp", _one(port), "internet", is_limited=True)]
    if port == _DEFAULT_PORTS["https"]:
        plain = _one(_DEFAULT_PORTS["http"])
        purpose = "the front server: certificates, and the way to https"
        fronts.append(Opening(purpose, "tcp", plain, "internet", is_limited=True))
    return fronts


def _relay_exits(settings: Settings) -> list[Exit]:
    """Return coturn's fence: its own peer rules know addresses, this one knows ports."""
    relay = settings.turn.relay_ports
    return [
        Exit("relayed media to Janus", True, "self", "udp", relay, (settings.janus.rtp_ports,)),
        Exit("coturn relays to nothing else", False, "anywhere", "udp", relay),
    ]


def _ssh(settings: Settings) -> Opening:
    port = _one(settings.firewall.ssh_port)
    return Opening("SSH", "tcp", port, "operator", is_limited=True)


def _reserved(settings: Settings) -> tuple[PortRange, ...]:
    found = (
        settings.asterisk.rtp_ports,
        settings.bridge.rtp_ports,
        settings.janus.sip_rtp_ports,
        settings.janus.rtp_ports,
        settings.turn.relay_ports,
    )
    return tuple(sorted(found, key=lambda ports: ports.first))


def _redis_port(settings: Settings) -> int | None:
    if settings.limits.store != "redis":
        return None
    return urlsplit(settings.limits.redis_url).port or 6_379


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _one(port: int) -> PortRange:
    return PortRange(first=port, last=port)
