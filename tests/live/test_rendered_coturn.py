"""coturn on its rendered files: who may allocate, and where a relay may lead."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from support.daemons import (
    RunningDaemon,
    live_secrets,
    live_settings,
    media_address,
    running_daemon,
)
from support.turn_client import (
    SOFTWARE,
    TCP,
    Transport,
    TurnClient,
    TurnRefused,
    temporary_credentials,
)
from talkbutton.rules.render.coturn import ALLOCATION_LIFETIME_S
from talkbutton.settings.model import NetworkSettings, Secrets, Settings

pytestmark = pytest.mark.live

SETTINGS = live_settings()
BESIDE = {"port": 24484, "tls_port": 24485, "relay_ports": {"first": 24560, "last": 24599}}
"""Of a second coturn, while the one that most tests share still runs."""

SECRET = live_secrets().turn_secret.get_secret_value()
ANNOUNCED = "203.0.113.9"

FORBIDDEN_IPV4 = [
    *("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1"),
    *("100.64.0.1", "169.254.169.254", "224.0.0.1", "239.1.2.3", "255.255.255.255"),
    *("8.8.8.8", "203.0.113.9", "198.18.0.1"),
]
FORBIDDEN_IPV6 = [
    *("::1", "::", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::10.0.0.1"),
    *("2002:7f00:1::", "2002:a00:1::", "64:ff9b::7f00:1", "64:ff9b::a00:1"),
    *("fc00::1", "fd00::1", "fe80::1", "fec0::1", "ff02::1", "2001:4860:4860::8888"),
]


@pytest.fixture(scope="module")
def coturn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    folder = tmp_path_factory.mktemp("coturn")
    with running_daemon("coturn", folder, settings=SETTINGS) as daemon:
        yield daemon


Client = Callable[..., TurnClient]


@pytest.fixture
def client(coturn: RunningDaemon, request: pytest.FixtureRequest) -> Iterator[Client]:
    """Open clients that give their allocations back, each a visitor of its own."""
    assert coturn.pid
    opened: list[TurnClient] = []

    def open_client(transport: Transport = "udp", user: str | None = None) -> TurnClient:
        name = user or f"{request.node.name}-{len(opened)}"
        opened.append(_client(transport, _credentials(name)))
        return opened[-1]

    yield open_client
    for each in opened:
        each.__exit__()


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
    address, port = _listens_on(SETTINGS), SETTINGS.turn.port
    assert coturn.sockets() == {("udp", address, port), ("tcp", address, port)}


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_relays_to_the_media_address(client: Client, transport: Transport) -> None:
    turn = client(transport)
    relayed = turn.allocate()
    ports = SETTINGS.turn.relay_ports
    assert relayed.host == media_address()
    assert ports.first <= relayed.port <= ports.last
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as janus:
        janus.settimeout(5)
        janus.bind((media_address(), 0))
        turn.bind_channel(0x4000, media_address(), janus.getsockname()[1])
        turn.send(0x4000, b"from the visitor")
        payload, sender = janus.recvfrom(100)
        assert (payload, sender) == (b"from the visitor", (relayed.host, relayed.port))
        janus.sendto(b"from Janus", sender)
        assert turn.receive() == (0x4000, b"from Janus")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_refuses_an_allocation_without_credentials(transport: Transport) -> None:
    with _client(transport, None) as turn:
        assert _refusal(turn.allocate) == 401


@pytest.mark.parametrize(
    ("username", "password"),
    [
        temporary_credentials(SECRET, "late", expires_unix=int(time.time()) - 5),
        temporary_credentials(SECRET, "ancient", expires_unix=0),
        temporary_credentials("another secret", "forged", expires_unix=2_000_000_000),
        (f"{2_000_000_000}:other", temporary_credentials(SECRET, "x", expires_unix=2 * 10**9)[1]),
        ("no-expiry", temporary_credentials(SECRET, "x", expires_unix=2 * 10**9)[1]),
        ("2000000000:empty", ""),
    ],
    ids=["expired", "ancient", "other-secret", "other-user", "no-expiry", "no-password"],
)
def test_refuses_credentials(coturn: RunningDaemon, username: str, password: str) -> None:
    assert coturn.pid
    with _client("udp", (username, password)) as turn:
        assert _refusal(turn.allocate) == 401


def test_refuses_every_other_ipv4_peer(client: Client) -> None:
    turn = client()
    turn.allocate()
    for peer in FORBIDDEN_IPV4:
        assert _refusal(partial(turn.permit, peer)) == 403, peer
        assert _refusal(partial(turn.bind_channel, 0x4001, peer, 53)) == 403, peer
    turn.permit(media_address())


def test_refuses_every_ipv6_peer(client: Client) -> None:
    """The relay has no IPv6 address: 443 is "peer address family mismatch"."""
    turn = client()
    turn.allocate()
    for peer in [*FORBIDDEN_IPV6, f"::ffff:{media_address()}"]:
        assert _refusal(partial(turn.permit, peer)) in {403, 443}, peer
        assert _refusal(partial(turn.bind_channel, 0x4001, peer, 53)) in {403, 443}, peer


def test_gives_no_ipv6_relay(client: Client) -> None:
    assert _refusal(lambda: client().allocate(family=6)) == 440


def test_gives_no_tcp_relay(client: Client) -> None:
    assert _refusal(lambda: client("tcp").allocate(protocol=TCP)) == 442
    udp_allocation = client("tcp")
    udp_allocation.allocate()
    assert _refusal(lambda: udp_allocation.connect(media_address(), 22)) >= 400


def test_refuses_more_allocations_than_a_visitor_may_hold(client: Client) -> None:
    for _ in range(SETTINGS.turn.user_quota):
        client(user="greedy").allocate()
    assert _refusal(client(user="greedy").allocate) == 486
    client(user="modest").allocate()


def test_caps_the_lifetime_of_an_allocation(client: Client) -> None:
    assert client().allocate(lifetime_s=86_400).lifetime_s == ALLOCATION_LIFETIME_S


def test_says_nothing_about_its_software(client: Client) -> None:
    answer = client().bind()
    assert answer.error_code is None
    assert SOFTWARE not in answer.attributes


def test_limits_what_it_answers_to_strangers(coturn: RunningDaemon) -> None:
    assert coturn.pid
    answered = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.connect((_listens_on(SETTINGS), SETTINGS.turn.port))
        stranger.settimeout(0.3)
        for number in range(300):
            transaction = number.to_bytes(12)
            stranger.send(
                b"\x00\x03\x00\x08\x21\x12\xa4\x42" + transaction + b"\x00\x19\x00\x04\x11\0\0\0"
            )
        try:
            while stranger.recv(2_000):
                answered += 1
        except TimeoutError:
            pass
    assert 0 < answered <= 150


def test_writes_no_secret_to_its_log(coturn: RunningDaemon) -> None:
    output = coturn.output()
    for name in Secrets.model_fields:
        assert f"secret-{name.replace('_', '-')}" not in output


def test_shows_no_secret_in_the_process_list(coturn: RunningDaemon) -> None:
    assert SECRET.encode() not in Path(f"/proc/{coturn.pid}/cmdline").read_bytes()


def test_an_announced_address_leads_to_the_media_address(tmp_path: Path) -> None:
    network = NetworkSettings(announced_address=ANNOUNCED)
    settings = live_settings(**BESIDE).model_copy(update={"network": network})
    with (
        running_daemon("coturn", tmp_path, settings=settings),
        _client("udp", _credentials("nat"), settings) as turn,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as janus,
    ):
        janus.settimeout(5)
        janus.bind((media_address(), 0))
        assert turn.allocate().host == ANNOUNCED
        turn.bind_channel(0x4000, ANNOUNCED, janus.getsockname()[1])
        turn.send(0x4000, b"through the NAT")
        assert janus.recv(100) == b"through the NAT"
        assert _refusal(lambda: turn.permit("203.0.113.10")) == 403


def test_an_ipv6_relay_refuses_every_other_peer(tmp_path: Path) -> None:
    """With a relay on ::1, the one IPv6 address that every machine has."""
    settings = live_settings(**BESIDE, listen_address=media_address())
    with (
        running_daemon("coturn", tmp_path, settings=settings, media="::1"),
        _client("udp", _credentials("six"), settings) as turn,
    ):
        assert turn.allocate(family=6).host == "::1"
        for peer in FORBIDDEN_IPV6:
            assert _refusal(partial(turn.permit, peer)) == 403, peer


def test_opens_tls_when_there_is_a_certificate(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    settings = live_settings(**BESIDE, tls_certificate="certificate.pem", tls_key="key.pem")
    files = {"turn-certificate.pem": certificate, "turn-key.pem": key}
    folder = tmp_path / "coturn"
    folder.mkdir()
    with (
        running_daemon("coturn", folder, settings=settings, files=files) as daemon,
        _client("tls", _credentials("tls"), settings) as turn,
    ):
        turn.allocate()
        turn.permit(media_address())
        assert ("tcp", _listens_on(settings), settings.turn.tls_port) in daemon.sockets()
        assert daemon.output().count(" ERROR ") == 0


def _credentials(user: str) -> tuple[str, str]:
    return temporary_credentials(SECRET, user, expires_unix=int(time.time()) + 60)


def _listens_on(settings: Settings) -> str:
    return settings.turn_address(media_address())


def _client(
    transport: Transport, credentials: tuple[str, str] | None, settings: Settings = SETTINGS
) -> TurnClient:
    port = settings.turn.tls_port if transport == "tls" else settings.turn.port
    return TurnClient(_listens_on(settings), port, transport=transport, credentials=credentials)


def _refusal(ask: Callable[[], object]) -> int:
    """Return the error that coturn answers with."""
    with pytest.raises(TurnRefused) as refused:
        ask()
    return refused.value.error_code


def _certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    subject = ["-subj", "/CN=turn.test", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *subject, *files], check=True, capture_output=True)
    return certificate, key
