"""Attacks on coturn: strangers, forbidden peers, greed. Each guard is also tried switched off."""

import os
import re
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from support.daemons import (
    Edit,
    RunningDaemon,
    live_secrets,
    live_settings,
    media_address,
    replaced,
    running_daemon,
    wait_until,
)
from support.turn import (
    FORBIDDEN_IPV4,
    FORBIDDEN_IPV6,
    Client,
    certificate,
    credentials,
    refusal,
    udp_peer,
    visitors,
)
from support.turn_client import TCP, Transport, TurnRefused, temporary_credentials
from talkbutton.operate.stack.turn_secrets import write_turn_secrets
from talkbutton.rules.render import TURN_DATABASE
from talkbutton.rules.render.coturn import ALLOCATION_LIFETIME_S
from talkbutton.settings.model import Secrets, Settings

pytestmark = pytest.mark.security

SETTINGS = live_settings()
BESIDE = {"port": 24484, "tls_port": 24485, "relay_ports": {"first": 24560, "last": 24599}}
"""Of a second coturn, while the one that most tests share still runs."""

SECRET = live_secrets().turn_secret.get_secret_value()
CONFIG = "turnserver.conf"
DENIED = "denied-peer-ip=0.0.0.0-255.255.255.255\n"
DENIED_IPV6 = "denied-peer-ip=::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\n"


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


@contextmanager
def beside(
    folder: Path, guard_off: Edit | None = None, media: str | None = None, **turn: object
) -> Iterator[tuple[RunningDaemon, Client, Settings]]:
    """Run a second coturn, as a rule with a guard switched off."""
    settings = live_settings(**BESIDE, **turn)
    with (
        running_daemon(
            "coturn", folder, settings=settings, guard_off=guard_off, media=media
        ) as daemon,
        visitors(settings) as open_client,
    ):
        yield daemon, open_client, settings


# Credentials


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_no_credentials_are_refused(client: Client, transport: Transport) -> None:
    assert refusal(client(transport, is_stranger=True).allocate) == 401


def test_without_the_guard_anybody_allocates(tmp_path: Path) -> None:
    with beside(tmp_path, replaced(CONFIG, ("use-auth-secret", "no-auth"))) as (_, client, _s):
        client(is_stranger=True).allocate()


@pytest.mark.parametrize(
    "login",
    [
        temporary_credentials(SECRET, "late", expires_unix=int(time.time()) - 5),
        temporary_credentials(SECRET, "ancient", expires_unix=0),
        temporary_credentials("another secret", "forged", expires_unix=2_000_000_000),
        ("2000000000:other", temporary_credentials(SECRET, "x", expires_unix=2 * 10**9)[1]),
        ("no-expiry", temporary_credentials(SECRET, "x", expires_unix=2 * 10**9)[1]),
        ("2000000000:empty", ""),
    ],
    ids=["expired", "ancient", "other-secret", "other-user", "no-expiry", "no-password"],
)
def test_expired_and_forged_credentials_are_refused(client: Client, login: tuple[str, str]) -> None:
    assert refusal(client(login=login).allocate) == 401


def test_the_same_credentials_are_taken_while_they_are_good(client: Client) -> None:
    client(
        login=temporary_credentials(SECRET, "late", expires_unix=int(time.time()) + 60)
    ).allocate()


def test_a_request_overheard_and_sent_again_is_refused(client: Client) -> None:
    """Its nonce belongs to the socket it was given to."""
    honest = client(user="overheard")
    honest.allocate()
    assert client().replay(honest.sealed_allocate()) in {401, 438}
    honest.refresh()


def test_credentials_used_by_others_count_as_the_same_visitor(client: Client) -> None:
    """Whoever has them may use them, as RFC 8656 has it; what they can take is one quota."""
    login = credentials("shared")
    for _ in range(SETTINGS.turn.user_quota):
        client(login=login).allocate()
    assert refusal(client("tcp", login=login).allocate) == 486


def test_a_rotation_takes_new_and_old_and_drops_no_relay(tmp_path: Path) -> None:
    with beside(tmp_path) as (_, client, settings), udp_peer() as peer:
        first, second = "first-secret-" + "1" * 30, "second-secret-" + "2" * 30

        def rotate(secret: str, previous: str | None) -> None:
            values = live_secrets().model_dump() | {
                "turn_secret": secret,
                "turn_secret_previous": previous,
            }
            path = tmp_path / "config" / TURN_DATABASE
            write_turn_secrets(path, settings, Secrets.model_validate(values))

        def attempt(secret: str) -> int | None:
            try:
                client(login=credentials("rotated", secret)).allocate()
            except TurnRefused as refused:
                return refused.error_code
            return None

        rotate(first, None)
        assert [attempt(first), attempt(second), attempt(SECRET)] == [None, 401, 401]
        living = client(login=credentials("living", first))
        living.allocate()
        living.bind_channel(0x4000, media_address(), peer.getsockname()[1])
        rotate(second, first)
        assert [attempt(first), attempt(second)] == [None, None]
        rotate(second, None)
        assert [attempt(first), attempt(second)] == [401, None]
        living.refresh()
        living.send(0x4000, b"still here")
        assert peer.recv(100) == b"still here"


# Peers


def test_every_other_ipv4_peer_is_refused(client: Client) -> None:
    turn = client()
    turn.allocate()
    for peer in FORBIDDEN_IPV4:
        assert refusal(partial(turn.permit, peer)) == 403, peer
        assert refusal(partial(turn.bind_channel, 0x4001, peer, 53)) == 403, peer
    turn.permit(media_address())


def test_every_ipv6_peer_is_refused(client: Client) -> None:
    """The relay has no IPv6 address: 443 is "peer address family mismatch"."""
    turn = client()
    turn.allocate()
    for peer in [*FORBIDDEN_IPV6, f"::ffff:{media_address()}"]:
        assert refusal(partial(turn.permit, peer)) in {403, 443}, peer
        assert refusal(partial(turn.bind_channel, 0x4001, peer, 53)) in {403, 443}, peer


def test_an_ipv6_relay_refuses_every_other_peer(tmp_path: Path) -> None:
    """With a relay on ::1, the one IPv6 address that every machine has."""
    address = media_address()
    with beside(tmp_path, media="::1", listen_address=address) as (_, client, _s):
        turn = client()
        assert turn.allocate(family=6).host == "::1"
        for peer in FORBIDDEN_IPV6:
            assert refusal(partial(turn.permit, peer)) == 403, peer
            assert refusal(partial(turn.bind_channel, 0x4001, peer, 53)) == 403, peer


def test_a_relay_leads_back_to_coturn_itself_where_they_share_an_address(tmp_path: Path) -> None:
    """Known and not closed here: coturn's rule knows no ports. With an address of its own it is."""
    with beside(tmp_path, listen_address=media_address()) as (_, client, settings):
        turn = client()
        turn.allocate()
        turn.bind_channel(0x4000, media_address(), settings.turn.port)
        turn.send(0x4000, b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12))
        assert turn.receive()[1][:2] == b"\x01\x01"
    own = settings.model_copy(
        update={"turn": settings.turn.model_copy(update={"listen_address": "127.0.0.1"})}
    )
    assert own.turn_address(media_address()) in FORBIDDEN_IPV4


def test_without_the_guard_other_peers_are_reached(tmp_path: Path) -> None:
    """The IPv6 rule alone would still refuse them: coturn sees IPv4 as mapped addresses too."""
    with beside(tmp_path, replaced(CONFIG, (DENIED, ""), (DENIED_IPV6, ""))) as (_, client, _s):
        turn = client()
        turn.allocate()
        for peer in ("8.8.8.8", "10.0.0.1", "203.0.113.9"):
            turn.permit(peer)


def test_without_the_guard_other_ipv6_peers_are_reached(tmp_path: Path) -> None:
    edit, address = replaced(CONFIG, (DENIED_IPV6, "")), media_address()
    with beside(tmp_path, edit, media="::1", listen_address=address) as (_, client, _s):
        turn = client()
        turn.allocate(family=6)
        turn.permit("2001:4860:4860::8888")


def test_no_ipv6_relay_is_given(client: Client) -> None:
    assert refusal(lambda: client().allocate(family=6)) == 440


def test_no_tcp_relay_is_given(client: Client) -> None:
    assert refusal(lambda: client("tcp").allocate(protocol=TCP)) == 442
    udp_allocation = client("tcp")
    udp_allocation.allocate()
    assert refusal(lambda: udp_allocation.connect(media_address(), 22)) >= 400


def test_without_the_guard_a_tcp_relay_is_given(tmp_path: Path) -> None:
    with beside(tmp_path, replaced(CONFIG, ("no-tcp-relay\n", ""))) as (_, client, _s):
        client("tcp").allocate(protocol=TCP)


# Quotas, bandwidth, lifetimes


def test_one_visitor_can_not_take_more_than_the_quota(client: Client) -> None:
    """Credentials minted at other times for the same call count together."""
    for number in range(SETTINGS.turn.user_quota):
        client(login=credentials("greedy", ttl_s=60 + number)).allocate()
    assert refusal(client(login=credentials("greedy", ttl_s=200)).allocate) == 486
    client(user="modest").allocate()


def test_without_the_guard_one_visitor_takes_more(tmp_path: Path) -> None:
    guard = f"user-quota={SETTINGS.turn.user_quota}\n"
    with beside(tmp_path, replaced(CONFIG, (guard, ""))) as (_, client, _s):
        for _ in range(SETTINGS.turn.user_quota + 1):
            client(user="greedy").allocate()


@pytest.mark.parametrize("limit", ["total-quota=2", "bps-capacity=50000"])
@pytest.mark.parametrize("is_on", [True, False], ids=["guard on", "guard off"])
def test_all_visitors_together_can_not_take_more_than_the_total(
    tmp_path: Path, limit: str, *, is_on: bool
) -> None:
    guard_off = None if is_on else replaced(CONFIG, (f"{limit}\n", ""))
    totals = (2, 15_000_000) if "quota" in limit else (600, 50_000)
    with beside(tmp_path, guard_off, total_quota=totals[0], total_bytes_per_s_max=totals[1]) as (
        _,
        client,
        _s,
    ):
        for _ in range(2):
            client().allocate()
        if is_on:
            assert refusal(client().allocate) == 486
        else:
            client().allocate()


@pytest.mark.parametrize("is_on", [True, False], ids=["guard on", "guard off"])
def test_an_allocation_carries_no_more_than_its_bandwidth(tmp_path: Path, *, is_on: bool) -> None:
    per_s = SETTINGS.turn.relay_bytes_per_s_max
    total = f"bps-capacity={SETTINGS.turn.total_bytes_per_s_max}\n"  # not without the other
    guard_off = None if is_on else replaced(CONFIG, (f"max-bps={per_s}\n", ""), (total, ""))
    sent_bytes, received_bytes, packet = 20 * per_s, 0, bytes(1_000)
    with beside(tmp_path, guard_off) as (_, client, _s), udp_peer() as peer:
        turn = client()
        turn.allocate()
        turn.bind_channel(0x4000, media_address(), peer.getsockname()[1])
        started = time.monotonic()
        for _ in range(sent_bytes // len(packet)):
            turn.send(0x4000, packet)
            received_bytes += _waiting_bytes(peer, wait_s=0.0005)
        received_bytes += _waiting_bytes(peer, wait_s=0.3)
        elapsed_s = time.monotonic() - started
    allowed_bytes = per_s * (elapsed_s + 2)  # each second has a budget of its own
    assert received_bytes > 0
    assert (received_bytes <= allowed_bytes) is is_on, (received_bytes, elapsed_s)


def test_the_lifetime_of_an_allocation_is_capped(client: Client) -> None:
    assert client().allocate(lifetime_s=86_400).lifetime_s == ALLOCATION_LIFETIME_S


def test_without_the_guard_an_allocation_lives_longer(tmp_path: Path) -> None:
    guard = f"max-allocate-lifetime={ALLOCATION_LIFETIME_S}\n"
    with beside(tmp_path, replaced(CONFIG, (guard, ""))) as (_, client, _s):
        assert client().allocate(lifetime_s=86_400).lifetime_s > ALLOCATION_LIFETIME_S


# What strangers get out of it


@pytest.mark.parametrize("is_on", [True, False], ids=["guard on", "guard off"])
def test_strangers_can_not_use_its_refusals_as_a_weapon(tmp_path: Path, *, is_on: bool) -> None:
    """A forged sender would be sent no more than so many answers a second."""
    guard_off = None if is_on else replaced(CONFIG, ("unauthorized-ratelimit\n", ""))
    with beside(tmp_path, guard_off) as (_, _c, settings):
        started = time.monotonic()
        answered = _answers_to_a_flood(settings, 600)
        elapsed_s = time.monotonic() - started
    assert answered > 0
    assert (answered <= 50 * (elapsed_s + 1)) is is_on, (answered, elapsed_s)


def test_a_name_can_not_write_lines_into_the_log(client: Client, coturn: RunningDaemon) -> None:
    forged = "2000000000:x\n2026-01-01T00:00:00 INFO allocation delete: FORGED"
    assert refusal(client(login=(forged, "p")).allocate) == 400
    client(user="after").allocate()
    wait_until(lambda: ":after>" in coturn.output(), what=lambda: "the next line", within_s=5)
    assert "FORGED" not in coturn.output()


def test_it_says_nothing_about_its_software_and_no_secret(
    client: Client, coturn: RunningDaemon
) -> None:
    client().allocate()
    assert SECRET not in coturn.output()
    assert SECRET.encode() not in Path(f"/proc/{coturn.pid}/cmdline").read_bytes()
    assert SECRET.encode() not in Path(f"/proc/{coturn.pid}/environ").read_bytes()


# TLS


@contextmanager
def with_tls(
    folder: Path, guard_off: Edit | None = None
) -> Iterator[tuple[RunningDaemon, Client, int]]:
    files = dict(zip(("turn-certificate.pem", "turn-key.pem"), certificate(folder), strict=True))
    settings = live_settings(**BESIDE, tls_certificate="c.pem", tls_key="k.pem")
    own = folder / "coturn"
    own.mkdir()
    with (
        running_daemon(
            "coturn", own, settings=settings, files=files, guard_off=guard_off
        ) as daemon,
        visitors(settings) as open_client,
    ):
        yield daemon, open_client, settings.turn.tls_port


def test_half_open_tls_keeps_nobody_out_and_is_cut(tmp_path: Path) -> None:
    quick = replaced(CONFIG, ("max-allocate-timeout=20\n", "max-allocate-timeout=2\n"))
    with with_tls(tmp_path, quick) as (_, client, port), ExitStack() as held:
        address = (live_settings().turn_address(media_address()), port)
        half_open = [
            held.enter_context(socket.create_connection(address, timeout=5)) for _ in range(300)
        ]
        for stranger in half_open:
            stranger.sendall(b"\x16\x03\x01\x02\x00\x01")  # a ClientHello that stops there
        client("tls").allocate()
        for stranger in half_open:
            stranger.settimeout(20)
            assert _is_cut(stranger)


@pytest.mark.parametrize(
    "offer",
    [
        ["-tls1", "-cipher", "ALL:@SECLEVEL=0"],
        ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
        ["-tls1_2", "-cipher", "AES128-SHA256"],
        ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"],
    ],
    ids=["TLS 1.0", "TLS 1.1", "no forward secrecy", "no authenticated encryption"],
)
def test_old_tls_is_refused(tmp_path: Path, offer: list[str]) -> None:
    with with_tls(tmp_path) as (_, _c, port):
        assert not _tls_works(port, offer)
        assert _tls_works(port, ["-tls1_2"])
        assert _tls_works(port, ["-tls1_3"])


def test_without_the_guard_old_ciphers_are_taken(tmp_path: Path) -> None:
    edit = replaced(CONFIG, ("cipher-list=ECDHE+AESGCM:ECDHE+CHACHA20\n", ""))
    with with_tls(tmp_path, edit) as (_, _c, port):
        assert _tls_works(port, ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"])


def test_a_new_certificate_drops_no_relay(tmp_path: Path) -> None:
    with with_tls(tmp_path) as (daemon, client, port), udp_peer() as peer:
        living = client("tls")
        living.allocate()
        living.bind_channel(0x4000, media_address(), peer.getsockname()[1])
        before = _served_certificate(port)
        new = certificate(tmp_path, "new.turn.test")
        for path, name in zip(new, ("turn-certificate.pem", "turn-key.pem"), strict=True):
            (tmp_path / "coturn" / "config" / name).write_bytes(path.read_bytes())
        os.kill(daemon.pid, signal.SIGUSR2)
        wait_until(
            lambda: _served_certificate(port) == new[0].read_text(),
            what=lambda: "the new certificate",
            within_s=10,
        )
        assert before != new[0].read_text()
        living.send(0x4000, b"still here")
        assert peer.recv(100) == b"still here"


def _is_cut(stranger: socket.socket) -> bool:
    """Return whether the other end closes the connection."""
    try:
        return stranger.recv(100) == b""
    except ConnectionError:
        return True


def _waiting_bytes(peer: socket.socket, *, wait_s: float) -> int:
    """Return how many bytes come until none has come for ``wait_s``."""
    peer.settimeout(wait_s)
    count = 0
    try:
        while True:
            count += len(peer.recv(2_000))
    except TimeoutError:
        return count


def _answers_to_a_flood(settings: Settings, requests: int) -> int:
    answered = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.connect((settings.turn_address(media_address()), settings.turn.port))
        for number in range(requests):
            head = b"\x00\x03\x00\x08\x21\x12\xa4\x42" + number.to_bytes(12)
            stranger.send(head + b"\x00\x19\x00\x04\x11\0\0\0")
            if number % 50 == 49:  # their buffers hold no more
                answered += _waiting_packets(stranger)
        return answered + _waiting_packets(stranger)


def _waiting_packets(stranger: socket.socket) -> int:
    stranger.settimeout(0.1)
    count = 0
    try:
        while stranger.recv(2_000):
            count += 1
    except TimeoutError:
        pass
    return count


def _tls_works(port: int, options: list[str]) -> bool:
    address = f"{live_settings().turn_address(media_address())}:{port}"
    told = subprocess.run(
        ["openssl", "s_client", "-connect", address, "-brief", *options],  # noqa: S607
        input=b"",
        capture_output=True,
        check=False,
        timeout=20,
    )
    return re.search(rb"Protocol version: TLSv1", told.stdout + told.stderr) is not None


def _served_certificate(port: int) -> str:
    return ssl.get_server_certificate((live_settings().turn_address(media_address()), port))
