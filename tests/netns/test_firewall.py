"""The rendered firewalls in the kernel: every port from every zone, as the model says.

Each test runs twice. Without the firewall everything gets through, which shows that the probes
would find a hole.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import pytest

from support.netns import Host, switched_network
from support.reach import admits, lets_out
from talkbutton.rules.render.firewall import (
    EPHEMERAL_PORTS,
    Source,
    Zone,
    render_nftables,
    zone_rules,
)
from talkbutton.settings.model import Settings

pytestmark = [pytest.mark.netns, pytest.mark.timeout(240)]

PROBE = str(Path(__file__).parent.parent / "support" / "port_probe.py")
HOSTS = ("internet", "edge", "core", "app", "neighbour")
FREE_PORT = 61_500
WILDCARD_DNS = 50_123
"""Where Asterisk's SIP library might have opened a socket on every address."""

SETTINGS = Settings.model_validate(
    {
        "version": 1,
        "edge": {"listen_address": "0.0.0.0", "port": 443, "public_url": "https://v.example"},
        "turn": {
            "tls_certificate": "turn.pem",
            "tls_key": "turn.key",
            "relay_ports": {"first": 40_000, "last": 40_003},
        },
        "janus": {
            "rtp_ports": {"first": 30_000, "last": 30_003},
            "sip_rtp_ports": {"first": 20_000, "last": 20_003},
        },
        "asterisk": {"rtp_ports": {"first": 12_000, "last": 12_003}},
        "bridge": {"rtp_ports": {"first": 16_000, "last": 16_003}},
        "limits": {"store": "redis"},
        "firewall": {
            "edge_addresses": ["10.77.0.2", "fd77::2"],
            "core_addresses": ["10.77.0.3", "fd77::3"],
            "app_addresses": ["10.77.0.4", "fd77::4"],
            "operator_networks": ["10.77.0.5", "fd77::5"],
            "connections_per_address_and_s": 100,
        },
    },
    strict=False,
)
ROLE: dict[str, Source] = {
    "internet": "internet",
    "edge": "edge",
    "core": "core",
    "app": "app",
    "neighbour": "operator",
}
SOURCE_PORTS = (FREE_PORT, 5060, 12_001, 16_001, 20_001, 30_001, 40_001)

Way = tuple[str, str, int, int]  # protocol, address, port, source port


def _ports() -> list[int]:
    """Return every port that the settings name, both ends of every range, and their neighbours."""
    ranges = [
        SETTINGS.turn.relay_ports,
        SETTINGS.janus.rtp_ports,
        SETTINGS.janus.sip_rtp_ports,
        SETTINGS.asterisk.rtp_ports,
        SETTINGS.bridge.rtp_ports,
        EPHEMERAL_PORTS,
    ]
    named = {443, 80, 3478, 5349, 8188, 5060, 8088, 6379, 22, 53, WILDCARD_DNS}
    for ports in ranges:
        named |= {ports.first, ports.last}
        if ports.last - ports.first < 10:
            named |= set(range(ports.first, ports.last))
    return sorted({port + step for port in named for step in (-1, 0, 1)})


PORTS = _ports()


@pytest.fixture
def hosts() -> Iterator[dict[str, Host]]:
    with switched_network(HOSTS) as made:
        yield made


def put_up(host: Host, zone: Zone) -> None:
    host.run("nft", "-f", "-", text=render_nftables(zone_rules(SETTINGS, zone)))


@contextmanager
def answering(host: Host) -> Iterator[None]:
    helper = host.start(sys.executable, PROBE, "listen")
    try:
        assert helper.stdin is not None
        assert helper.stdout is not None
        print(json.dumps(PORTS), file=helper.stdin, flush=True)
        assert helper.stdout.readline() == "ready\n"
        yield
    finally:
        helper.kill()
        helper.communicate()


def all_ways(target: Host, *, itself: bool = False) -> list[Way]:
    addresses = [target.v4, target.v6, *(("127.0.0.1", "::1") if itself else ())]
    return [
        (protocol, address, port, source_port)
        for address in addresses
        for port in PORTS
        for protocol, source_ports in (("tcp", (0,)), ("udp", SOURCE_PORTS))
        for source_port in source_ports
    ]


def found(source: Host, ways: Sequence[Way], *, expected: int) -> set[Way]:
    """Return the ways that answered when tried from ``source``."""
    order = json.dumps({"ways": ways, "expected": expected})
    numbers: list[int] = json.loads(source.run(sys.executable, PROBE, "probe", text=order + "\n"))
    return {ways[number] for number in numbers}


def check(source: Host, ways: Sequence[Way], passes: Callable[[str, int, int], bool]) -> None:
    wanted = {way for way in ways if passes(way[0], way[2], way[3])}
    got = found(source, ways, expected=len(wanted))
    assert got == wanted, {"open": sorted(got - wanted)[:9], "closed": sorted(wanted - got)[:9]}


def meet(hosts: dict[str, Host], target: Host) -> None:
    """Let everybody learn the target's link address, over ICMP, which must pass anyway."""
    for host in hosts.values():
        if host is not target:
            echoes = [("icmp", address, 0, 0) for address in (target.v4, target.v6)]
            assert found(host, echoes, expected=2) == set(echoes)


@pytest.mark.parametrize("is_up", [True, False], ids=["firewall", "no firewall"])
@pytest.mark.parametrize("zone", get_args(Zone))
def test_every_port_is_reached_from_where_it_may(
    hosts: dict[str, Host], zone: Zone, is_up: bool
) -> None:
    target = hosts["edge" if zone == "all-in-one" else zone]
    rules = zone_rules(SETTINGS, zone)
    if is_up:
        put_up(target, zone)
    with answering(target):
        meet(hosts, target)
        for name, host in hosts.items():
            if host is not target:
                role = ROLE[name]
                check(
                    host,
                    all_ways(target),
                    lambda protocol, port, source_port, role=role: (  # type: ignore[misc]
                        not is_up or admits(rules, role, protocol, port, source_port)
                    ),
                )


@pytest.mark.parametrize("is_up", [True, False], ids=["firewall", "no firewall"])
@pytest.mark.parametrize("zone", ["edge", "core", "app"])
def test_a_zone_sends_only_where_it_may(hosts: dict[str, Host], zone: Zone, is_up: bool) -> None:
    rules = zone_rules(SETTINGS, zone)
    if is_up:
        put_up(hosts[zone], zone)
    for name in HOSTS:
        if name == zone:
            continue
        to: Any = "anywhere" if ROLE[name] in ("internet", "operator") else ROLE[name]
        with answering(hosts[name]):
            check(
                hosts[zone],
                all_ways(hosts[name]),
                lambda protocol, port, source_port, to=to: (  # type: ignore[misc]
                    not is_up or lets_out(rules, to, protocol, port, source_port)
                ),
            )


@pytest.mark.parametrize("is_up", [True, False], ids=["firewall", "no firewall"])
def test_media_ports_reach_nothing_private_on_their_own_machine(
    hosts: dict[str, Host], is_up: bool
) -> None:
    machine = hosts["edge"]
    rules = zone_rules(SETTINGS, "all-in-one")
    if is_up:
        put_up(machine, "all-in-one")
    with answering(machine):
        check(
            machine,
            [way for way in all_ways(machine, itself=True) if way[2] not in SOURCE_PORTS],
            lambda protocol, port, source_port: (
                not is_up or lets_out(rules, "self", protocol, port, source_port)
            ),
        )


@pytest.mark.parametrize("is_up", [True, False], ids=["firewall", "no firewall"])
def test_one_address_can_not_keep_others_out(hosts: dict[str, Host], is_up: bool) -> None:
    edge, flooder, honest = hosts["edge"], hosts["internet"], hosts["neighbour"]
    if is_up:
        slow = SETTINGS.firewall.model_copy(update={"connections_per_address_and_s": 1})
        settings = SETTINGS.model_copy(update={"firewall": slow})
        edge.run("nft", "-f", "-", text=render_nftables(zone_rules(settings, "edge")))
    with answering(edge):
        for address in (edge.v4, edge.v6):
            ways = [("tcp", address, port, 0) for port in (443, 3478, 5349) for _ in range(20)]
            tried = json.dumps({"ways": ways, "expected": 0 if is_up else len(ways)})
            through = json.loads(flooder.run(sys.executable, PROBE, "probe", text=tried + "\n"))
            assert (len(through) < len(ways) // 2) is is_up
            assert found(honest, [("tcp", address, 443, 0)], expected=1)


def test_the_rules_can_be_loaded_again_and_leave_others_alone(hosts: dict[str, Host]) -> None:
    edge = hosts["edge"]
    edge.run("nft", "add", "table", "inet", "of_another_program")
    put_up(edge, "edge")
    once = edge.run("nft", "list", "table", "inet", "talkbutton")
    put_up(edge, "edge")
    assert edge.run("nft", "list", "table", "inet", "talkbutton") == once
    assert "of_another_program" in edge.run("nft", "list", "tables")
