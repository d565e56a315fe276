"""coturn on its rendered files: it is what was asked for, and carries media both ways."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemons import (
    RunningDaemon,
    live_settings,
    media_address,
    running_daemon,
    wait_until,
)
from support.turn import Client, certificate, refusal, udp_peer, visitors
from support.turn_client import SOFTWARE, TCP, Transport
from talkbutton.protocols.turn import TurnFact, TurnLog
from talkbutton.settings.model import NetworkSettings, Secrets

pytestmark = pytest.mark.live

SETTINGS = live_settings()
BESIDE = {"port": 24484, "tls_port": 24485, "relay_ports": {"first": 24560, "last": 24599}}
"""Of a second coturn, while the one that most tests share still runs."""

ANNOUNCED = "203.0.113.9"
CALL = "0193abcdef01" + "5" * 20


@pytest.fixture(scope="module")
def coturn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    folder = tmp_path_factory.mktemp("coturn")
    with running_daemon("coturn", folder, settings=SETTINGS) as daemon:
        yield daemon


@pytest.fixture
def client(coturn: RunningDaemon) -> Iterator[Client]:
    assert coturn.pid
    with visitors(SETTINGS) as open_client:
        yield open_client


def test_starts_without_an_error(coturn: RunningDaemon) -> None:
    assert " ERROR " not in coturn.output().split("Total auth threads")[0]


def test_reports_its_settings(coturn: RunningDaemon) -> None:
    output = coturn.output()
    address = media_address()
    for line in (
        f"Relay address to use: {address}",
        "Black listing: 0.0.0.0-255.255.255.255",
        "Black listing: ::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        f"White listing: {address}",
        f"Default realm: {SETTINGS.turn.realm}",
        "no-tcp-relay",
    ):
        assert line in output


def test_listens_on_its_address_without_tls(coturn: RunningDaemon) -> None:
    address, port = SETTINGS.turn_address(media_address()), SETTINGS.turn.port
    assert coturn.sockets() == {("udp", address, port), ("tcp", address, port)}


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_relays_to_the_media_address(client: Client, transport: Transport) -> None:
    turn = client(transport)
    relayed = turn.allocate()
    ports = SETTINGS.turn.relay_ports
    assert relayed.host == media_address()
    assert ports.first <= relayed.port <= ports.last
    with udp_peer() as janus:
        turn.bind_channel(0x4000, media_address(), janus.getsockname()[1])
        turn.send(0x4000, b"from the visitor")
        payload, sender = janus.recvfrom(100)
        assert (payload, sender) == (b"from the visitor", (relayed.host, relayed.port))
        janus.sendto(b"from Janus", sender)
        assert turn.receive() == (0x4000, b"from Janus")


def test_says_nothing_about_its_software(client: Client) -> None:
    answer = client().bind()
    assert answer.error_code is None
    assert SOFTWARE not in answer.attributes


def test_writes_no_secret_to_its_log(coturn: RunningDaemon) -> None:
    output = coturn.output()
    for name in Secrets.model_fields:
        assert f"secret-{name.replace('_', '-')}" not in output


def test_an_announced_address_leads_to_the_media_address(tmp_path: Path) -> None:
    network = NetworkSettings(announced_address=ANNOUNCED)
    settings = live_settings(**BESIDE).model_copy(update={"network": network})
    with (
        running_daemon("coturn", tmp_path, settings=settings),
        visitors(settings) as open_client,
        udp_peer() as janus,
    ):
        turn = open_client()
        assert turn.allocate().host == ANNOUNCED
        turn.bind_channel(0x4000, ANNOUNCED, janus.getsockname()[1])
        turn.send(0x4000, b"through the NAT")
        assert janus.recv(100) == b"through the NAT"
        assert refusal(lambda: turn.permit("203.0.113.10")) == 403


def test_opens_tls_when_there_is_a_certificate(tmp_path: Path) -> None:
    files = dict(zip(("turn-certificate.pem", "turn-key.pem"), certificate(tmp_path), strict=True))
    settings = live_settings(**BESIDE, tls_certificate="certificate.pem", tls_key="key.pem")
    folder = tmp_path / "coturn"
    folder.mkdir()
    with (
        running_daemon("coturn", folder, settings=settings, files=files) as daemon,
        visitors(settings) as open_client,
    ):
        turn = open_client("tls", CALL)
        turn.allocate()
        turn.permit(media_address())
        address = settings.turn_address(media_address())
        assert ("tcp", address, settings.turn.tls_port) in daemon.sockets()
        assert daemon.output().count(" ERROR ") == 0
        assert _facts(daemon)[0].data["tls"] is True


def test_its_log_tells_what_became_of_a_calls_allocation(tmp_path: Path) -> None:
    settings = live_settings(**BESIDE)
    with (
        running_daemon("coturn", tmp_path, settings=settings) as daemon,
        visitors(settings) as open_client,
        udp_peer() as janus,
    ):
        turn = open_client("tcp", CALL)
        turn.allocate()
        turn.bind_channel(0x4000, media_address(), janus.getsockname()[1])
        turn.send(0x4000, bytes(1_000))
        assert len(janus.recv(2_000)) == 1_000
        assert refusal(lambda: turn.permit("8.8.8.8")) == 403
        assert refusal(lambda: open_client("tcp", CALL).allocate(protocol=TCP)) == 442
        assert refusal(lambda: open_client(login=(f"1:{CALL}", "late")).allocate()) == 401
        turn.__exit__()
        wait_until(
            lambda: "turn.closed" in {fact.name for fact in _facts(daemon)},
            what=lambda: "the end of the allocation in the log",
            within_s=10,
        )
        facts = _facts(daemon)
    assert {fact.call_id for fact in facts} == {CALL}
    told = [(fact.name, fact.data.get("stun_code"), fact.is_proven) for fact in facts]
    assert told[:4] == [
        ("turn.allocated", None, True),
        ("turn.refused", 403, True),
        ("turn.refused", 442, True),
        ("turn.refused", 401, False),
    ]
    [closed] = [fact for fact in facts if fact.name == "turn.closed"]
    assert closed.data["reason"] == "given back"
    assert 1_000 <= int(str(closed.data["visitor_bytes"])) <= 2_500
    assert 1_000 <= int(str(closed.data["peer_bytes"])) <= 1_200


def _facts(daemon: RunningDaemon) -> list[TurnFact]:
    log = TurnLog()
    lines = re.split(r"\n", daemon.output())
    return [fact for line in lines if (fact := log.read(line)) is not None]
