"""Janus on its rendered files: it is what was asked for, on private sockets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection

from support.daemons import (
    RunningDaemon,
    live_settings,
    media_address,
    running_daemon,
    wait_until,
)
from support.janus_client import JanusClient, connected, current
from talkbutton.settings.model import NetworkSettings, Secrets

pytestmark = pytest.mark.live

SETTINGS = live_settings()
PRIVATE = SETTINGS.network.private_address


@pytest.fixture(scope="module")
def janus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    folder = tmp_path_factory.mktemp("janus")
    with running_daemon("janus", folder, settings=SETTINGS) as daemon:
        yield daemon


@pytest.fixture
def socket(janus: RunningDaemon) -> Iterator[ClientConnection]:
    assert janus.pid
    with connected(SETTINGS.janus.api_port) as connection:
        yield connection


@pytest.fixture
def client(socket: ClientConnection) -> JanusClient:
    return JanusClient(socket)


def test_starts_without_an_error(janus: RunningDaemon) -> None:
    output = janus.output()
    assert "[ERR]" not in output
    assert "[FATAL]" not in output


def test_reports_its_settings(client: JanusClient) -> None:
    report = client.ask(janus="info")
    expected = {
        "server-name": "talkbutton",
        "api_secret": False,
        "auth_token": True,
        "event_handlers": False,
        "full-trickle": False,
        "ice-lite": False,
        "ice-tcp": False,
        "ipv6": False,
        "local-ip": media_address(),
        "mdns-enabled": False,
        "reclaim-session-timeout": 0,
        "session-timeout": 60,
        "static-event-loops": 4,
    }
    assert {name: report[name] for name in expected} == expected
    assert set(report["plugins"]) == {"janus.plugin.sip"}
    assert set(report["transports"]) == {"janus.transport.websockets"}


def test_reports_its_media_ports(janus: RunningDaemon) -> None:
    ports = SETTINGS.janus.rtp_ports
    assert f"ICE port range: {ports.first}-{ports.last}" in janus.output()
    assert f"Adding '{media_address()}' to the ICE enforce list" in janus.output()


def test_attaches_the_sip_plugin(client: JanusClient) -> None:
    assert client.handle(client.session())["handle_id"]


def test_listens_on_private_addresses_only(janus: RunningDaemon, client: JanusClient) -> None:
    proxy = f"sip:{PRIVATE}:{SETTINGS.asterisk.sip_port}"
    client.register_guest(client.handle(client.session()), user="throw-away", proxy=proxy)
    api = ("tcp", PRIVATE, SETTINGS.janus.api_port)
    wait_until(
        lambda: any(protocol == "udp" for protocol, _, _ in janus.sockets()),
        what=lambda: "a SIP socket",
        within_s=5,
    )
    assert api in janus.sockets()
    assert {address for _, address, _ in janus.sockets()} == {PRIVATE}


def test_writes_no_secret_to_its_log(janus: RunningDaemon) -> None:
    output = janus.output()
    for name in Secrets.model_fields:
        assert f"secret-{name.replace('_', '-')}" not in output


def test_loads_the_echo_test_when_asked_to(tmp_path: Path) -> None:
    settings = _beside()
    with (
        running_daemon("janus", tmp_path, settings=settings, with_echotest=True),
        connected(settings.janus.api_port) as connection,
    ):
        plugins = JanusClient(connection).ask(janus="info")["plugins"]
    assert set(plugins) == {"janus.plugin.sip", "janus.plugin.echotest"}


def test_announces_the_public_address_of_a_nat(tmp_path: Path) -> None:
    announced = NetworkSettings(announced_address="203.0.113.9")
    settings = _beside().model_copy(update={"network": announced})
    with (
        running_daemon("janus", tmp_path, settings=settings, with_echotest=True) as daemon,
        connected(settings.janus.api_port) as connection,
    ):
        candidates = _candidates(JanusClient(connection, current("janus.plugin.echotest")))
        assert "[ERR]" not in daemon.output()
        addresses = {address for _, address, _ in daemon.sockets()}
    assert addresses == {PRIVATE, media_address()}
    assert {candidate.split()[4] for candidate in candidates} == {"203.0.113.9"}
    ports = settings.janus.rtp_ports
    assert all(ports.first <= int(candidate.split()[5]) <= ports.last for candidate in candidates)


def _beside() -> Any:
    """Return settings of a second Janus, while the one that most tests share still runs."""
    settings = SETTINGS.model_dump()
    settings["janus"] |= {
        "api_port": 24189,
        "rtp_ports": {"first": 24700, "last": 24719},
        "sip_rtp_ports": {"first": 24720, "last": 24739},
    }
    return type(SETTINGS).model_validate(settings)


def _candidates(client: JanusClient) -> list[str]:
    """Return the candidate lines of Janus's answer to an offer."""
    session = client.session()
    handle = client.ask(janus="attach", session_id=session, plugin="janus.plugin.echotest")
    offer = Path(__file__).parent.parent / "support" / "chromium_offer.sdp"
    answer = client.ask(
        janus="message",
        session_id=session,
        handle_id=handle["data"]["id"],
        body={"audio": True},
        jsep={"type": "offer", "sdp": offer.read_text()},
    )
    lines: list[str] = answer["jsep"]["sdp"].splitlines()
    return [line for line in lines if line.startswith("a=candidate:")]
