"""Visitors of a coturn that runs on the live tests' settings, and what it answers them."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.daemons import live_secrets, media_address
from support.turn_client import Transport, TurnClient, TurnRefused, temporary_credentials
from talkbutton.settings.model import Settings

__all__ = [
    "FORBIDDEN_IPV4",
    "FORBIDDEN_IPV6",
    "Client",
    "certificate",
    "credentials",
    "refusal",
    "udp_peer",
    "visitors",
]

FORBIDDEN_IPV4 = [
    *("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1"),
    *("100.64.0.1", "169.254.169.254", "224.0.0.1", "239.1.2.3", "255.255.255.255"),
    *("8.8.8.8", "203.0.113.9", "198.18.0.1"),
]
"""Loopback (the PBX, the bridge, the database, and coturn itself in the tests), private, cloud
metadata, multicast, the rest of the internet."""

FORBIDDEN_IPV6 = [
    *("::1", "::", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::10.0.0.1"),
    *("2002:7f00:1::", "2002:a00:1::", "64:ff9b::7f00:1", "64:ff9b::a00:1"),
    *("fc00::1", "fd00::1", "fe80::1", "fec0::1", "ff02::1", "2001:4860:4860::8888"),
]
"""The same, and IPv4 in every disguise: mapped, compatible, 6to4, NAT64."""

Client = Callable[..., TurnClient]
"""Opens a client: ``client(transport="udp", user=None)``."""


def credentials(user: str, secret: str | None = None, *, ttl_s: int = 60) -> tuple[str, str]:
    """Return credentials as the edge mints them."""
    chosen = secret or live_secrets().turn_secret.get_secret_value()
    return temporary_credentials(chosen, user, expires_unix=int(time.time()) + ttl_s)


@contextmanager
def visitors(settings: Settings) -> Iterator[Client]:
    """Open clients that give their allocations back at the end, each a visitor of its own."""
    opened: list[TurnClient] = []

    def open_client(
        transport: Transport = "udp",
        user: str | None = None,
        login: tuple[str, str] | None = None,
        *,
        is_stranger: bool = False,
    ) -> TurnClient:
        port = settings.turn.tls_port if transport == "tls" else settings.turn.port
        chosen = login or credentials(user or f"visitor-{len(opened)}")
        client = TurnClient(
            settings.turn_address(media_address()),
            port,
            transport=transport,
            credentials=None if is_stranger else chosen,
        )
        opened.append(client)
        return client

    try:
        yield open_client
    finally:
        for client in opened:
            client.__exit__()


def refusal(ask: Callable[[], object]) -> int:
    """Return the error that coturn answers with."""
    with pytest.raises(TurnRefused) as refused:
        ask()
    return refused.value.error_code


@contextmanager
def udp_peer() -> Iterator[socket.socket]:
    """Open a socket on the media address, where Janus would be."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(5)
        peer.bind((media_address(), 0))
        yield peer


def certificate(folder: Path, name: str = "turn.test") -> tuple[Path, Path]:
    """Write a certificate of its own with its key, and return both paths."""
    certificate_path, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    subject = ["-subj", f"/CN={name}", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(certificate_path)]
    subprocess.run([*command.split(), *subject, *files], check=True, capture_output=True)
    return certificate_path, key
