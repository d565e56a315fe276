"""Who may reach what, as written down by hand and as derived from Settings."""

import json

import pytest
from pydantic import ValidationError

from support.reach import admits
from talkbutton.errors import SettingsError
from talkbutton.rules.render.firewall import (
    Source,
    Zone,
    render_groups_json,
    render_nftables,
    render_ufw,
    zone_rules,
)
from talkbutton.settings.model import Settings

pytestmark = pytest.mark.core

ZONES: dict[str, object] = {
    "edge_addresses": ["10.1.0.2"],
    "core_addresses": ["10.1.0.3"],
    "app_addresses": ["10.1.0.4"],
    "operator_networks": ["192.0.2.0/24"],
}
PUBLIC: dict[str, object] = {
    "edge": {"listen_address": "0.0.0.0", "port": 443, "public_url": "https://voice.example"},
    "turn": {"tls_certificate": "turn.pem", "tls_key": "turn.key"},
    "firewall": ZONES,
}


def settings(**blocks: object) -> Settings:
    return Settings.model_validate({"version": 1, **PUBLIC, **blocks}, strict=False)


# zone, who, protocol, port, the port they send from, whether it gets in
REACH: list[tuple[Zone, Source, str, int, int, bool]] = [
    ("edge", "internet", "tcp", 443, 50_000, True),
    ("edge", "internet", "udp", 443, 50_000, False),
    ("edge", "internet", "udp", 3478, 50_000, True),
    ("edge", "internet", "tcp", 3478, 50_000, True),
    ("edge", "internet", "tcp", 5349, 50_000, True),
    ("edge", "internet", "udp", 30_000, 50_000, True),
    ("edge", "internet", "udp", 34_999, 50_000, True),
    ("edge", "internet", "udp", 35_000, 50_000, False),
    ("edge", "internet", "udp", 40_500, 50_000, False),  # only Janus is relayed to
    ("edge", "core", "udp", 40_500, 5_061, False),
    ("edge", "internet", "tcp", 8188, 50_000, False),
    ("edge", "core", "tcp", 8188, 50_000, False),
    ("edge", "internet", "udp", 20_000, 50_000, False),
    ("edge", "core", "udp", 20_000, 12_000, True),
    ("edge", "app", "udp", 20_000, 12_000, False),
    ("edge", "core", "udp", 45_000, 5060, True),
    ("edge", "internet", "udp", 45_000, 5060, False),
    ("edge", "internet", "tcp", 22, 50_000, False),
    ("edge", "operator", "tcp", 22, 50_000, True),
    ("core", "edge", "udp", 5060, 50_000, True),
    ("core", "internet", "udp", 5060, 50_000, False),
    ("core", "app", "udp", 5060, 50_000, False),
    ("core", "edge", "tcp", 5060, 50_000, False),
    ("core", "app", "tcp", 8088, 50_000, True),
    ("core", "edge", "tcp", 8088, 50_000, False),
    ("core", "edge", "udp", 12_000, 20_000, True),
    ("core", "edge", "udp", 12_000, 30_000, False),  # what browsers send to never comes in here
    ("core", "app", "udp", 12_000, 16_000, True),
    ("core", "internet", "udp", 12_000, 16_000, False),
    ("app", "core", "udp", 16_000, 12_000, True),
    ("app", "edge", "udp", 16_000, 12_000, False),
    ("app", "edge", "tcp", 6379, 50_000, False),
    ("all-in-one", "internet", "tcp", 443, 50_000, True),
    ("all-in-one", "internet", "udp", 5060, 50_000, False),
    ("all-in-one", "internet", "tcp", 8088, 50_000, False),
    ("all-in-one", "internet", "tcp", 8188, 50_000, False),
    ("all-in-one", "internet", "udp", 12_000, 50_000, False),
    ("all-in-one", "internet", "udp", 16_000, 50_000, False),
    ("all-in-one", "internet", "udp", 20_000, 50_000, False),
]


@pytest.mark.parametrize(("zone", "source", "protocol", "port", "source_port", "is_open"), REACH)
def test_only_what_is_meant_gets_in(
    zone: Zone, source: Source, protocol: str, port: int, source_port: int, is_open: bool
) -> None:
    rules = zone_rules(settings(), zone)
    assert admits(rules, source, protocol, port, source_port) is is_open


def test_a_button_for_this_machine_only_opens_nothing_but_ssh() -> None:
    rules = zone_rules(Settings(version=1), "all-in-one")
    assert [opening.purpose for opening in rules.openings] == ["SSH"]


def test_behind_a_front_server_the_front_is_open_and_the_edge_is_not() -> None:
    rules = zone_rules(
        settings(edge={"port": 8080, "public_url": "https://voice.example"}), "all-in-one"
    )
    tcp = {one.ports.first for one in rules.openings if one.protocol == "tcp"}
    assert tcp == {443, 80, 22}  # coturn is on loopback, as the edge is


def test_an_edge_behind_named_proxies_is_open_to_them_alone() -> None:
    edge = {"listen_address": "10.1.0.2", "port": 8080, "trusted_proxies": ["10.9.0.1"]}
    rules = zone_rules(settings(edge=edge), "edge")
    assert admits(rules, "proxy", "tcp", 8080, 50_000)
    assert not admits(rules, "internet", "tcp", 8080, 50_000)


def test_redis_is_open_to_the_edge_when_it_is_used() -> None:
    limits = {"store": "redis", "redis_url": "redis://10.1.0.4:6380"}
    rules = zone_rules(settings(limits=limits), "app")
    assert admits(rules, "edge", "tcp", 6380, 50_000)
    assert not admits(rules, "core", "tcp", 6380, 50_000)


@pytest.mark.parametrize("zone", ["edge", "core", "app"])
def test_a_zone_needs_to_know_the_others(zone: Zone) -> None:
    with pytest.raises(SettingsError, match=r"firewall\.\w+_addresses is empty"):
        zone_rules(settings(firewall={}), zone)


def test_the_three_forms_open_the_same_ports() -> None:
    for zone in ("edge", "core", "app", "all-in-one"):
        rules = zone_rules(settings(), zone)
        listed = json.loads(render_groups_json(rules))["ingress"]
        nft, ufw = render_nftables(rules), render_ufw(rules)
        for opening in listed:
            first, last = opening["from_port"], opening["to_port"]
            span = str(first) if first == last else f"{first}-{last}"
            assert f"{opening['protocol']} dport {span} accept" in nft
            assert f"to any port {span.replace('-', ':')} comment" in ufw
        assert nft.count("dport") >= len(listed)


def test_ufw_opens_ssh_before_it_closes_the_rest() -> None:
    lines = render_ufw(zone_rules(settings(), "core")).splitlines()
    ssh = next(i for i, line in enumerate(lines) if line.endswith("comment SSH"))
    assert ssh < lines.index("ufw default deny incoming")


def test_a_firewall_takes_everybody_for_operators_and_for_nobody_else() -> None:
    everybody = {"operator_networks": ["0.0.0.0/0", "::/0"]}
    assert settings(firewall=everybody).firewall == Settings(version=1).firewall
    for bad in ({"core_addresses": ["0.0.0.0/0"]}, {"edge_addresses": ["10.1.0.2/8"]}):
        with pytest.raises(ValidationError):
            settings(firewall=bad)
