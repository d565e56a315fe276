"""coturn's configuration: a relay to this machine's media address and to nothing else."""

from ipaddress import ip_address
from pathlib import PurePosixPath

from talkbutton.errors import SettingsError
from talkbutton.rules.render.places import Places
from talkbutton.rules.render.turnserver import Option, render_turnserver
from talkbutton.settings.model import Settings

__all__ = ["ALLOCATION_LIFETIME_S", "TURN_DATABASE", "render_coturn"]

ALLOCATION_LIFETIME_S = 600
"""Longest time between two refreshes, in seconds; coturn takes no less. What a vanished browser
holds is freed after it."""

_HALF_OPEN_MAX_S = 20
"""Seconds from a connection to its allocation: a browser takes one or two."""

_UNAUTHORIZED_PER_S = 50
"""Answers "401 Unauthorized" to one address each second: enough for a full office behind one NAT,
too few for a reflection attack to pay."""

TURN_DATABASE = "turn.sqlite"
"""File beside the configuration in which coturn looks up its secrets, at each allocation."""

_TLS_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""TLS 1.2 with forward secrecy and authenticated encryption; TLS 1.3 has nothing else. Older
versions coturn refuses by itself."""

_FILE = "turnserver.conf"


def render_coturn(settings: Settings, places: Places) -> dict[PurePosixPath, str]:
    """Return coturn's files by path under its configuration folder.

    The secrets are not among them: see ``TURN_DATABASE``.

    Peers are decided by two rules: everything is denied, then the media address is allowed
    (coturn lets the second beat the first). Behind a 1:1 NAT coturn itself turns the announced
    address, which browsers name as Janus's, into the media address before it looks at the rules.

    Raises:
        SettingsError: If a value can't be written to the file, or the private address is the one
            that visitors may relay to.
        ValueError: If an address in ``places`` is not one.
    """
    if ip_address(places.media_address) == ip_address(settings.network.private_address):
        raise SettingsError(
            "network.private_address",
            "is the media address, to which coturn relays: SIP, ARI and RTP would be reachable",
            hint="use loopback on one machine, or a second address of this machine",
        )
    options = [
        *_listeners(settings, places),
        *_authentication(settings, places),
        *_limits(settings),
        *_peers(places.media_address),
        *_process(places),
    ]
    return {PurePosixPath(_FILE): render_turnserver(options, file_name=_FILE)}


def _listeners(settings: Settings, places: Places) -> list[Option]:
    turn, media = settings.turn, places.media_address
    announced = settings.network.announced_address
    options: list[Option] = [
        ("listening-ip", settings.turn_address(media)),
        ("listening-port", turn.port),
        ("relay-ip", media),
        ("min-port", turn.relay_ports.first),
        ("max-port", turn.relay_ports.last),
    ]
    options += [("aux-server", other) for other in turn.also_listen]
    if announced is not None:
        options.append(("external-ip", f"{announced}/{media}"))
    if ip_address(media).version == 6:
        options.append(("allocation-default-address-family", "ipv6"))
    if turn.tls_certificate is None:
        options.append("no-tls")
    else:
        options += [
            ("tls-listening-port", turn.tls_port),
            ("cert", str(places.turn_certificate)),
            ("pkey", str(places.turn_key)),
            ("cipher-list", _TLS_CIPHERS),
        ]
    return options


def _authentication(settings: Settings, places: Places) -> list[Option]:
    return [
        ("realm", settings.turn.realm),
        "use-auth-secret",
        ("userdb", str(places.config / TURN_DATABASE)),
        ("stale-nonce", 600),
        "unauthorized-ratelimit",
        ("unauthorized-ratelimit-rps", _UNAUTHORIZED_PER_S),
        "no-software-attribute",
        "fingerprint",
    ]


def _limits(settings: Settings) -> list[Option]:
    return [
        ("user-quota", settings.turn.user_quota),
        ("total-quota", settings.turn.total_quota),
        ("max-bps", settings.turn.relay_bytes_per_s_max),
        ("bps-capacity", settings.turn.total_bytes_per_s_max),
        ("max-allocate-lifetime", ALLOCATION_LIFETIME_S),
        ("max-allocate-timeout", _HALF_OPEN_MAX_S),
        "no-tcp-relay",
    ]


def _peers(media_address: str) -> list[Option]:
    return [
        "no-multicast-peers",
        ("denied-peer-ip", "0.0.0.0-255.255.255.255"),
        ("denied-peer-ip", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("allowed-peer-ip", media_address),
    ]


def _process(places: Places) -> list[Option]:
    return [
        ("log-file", "stdout"),
        "simple-log",
        # What becomes of each allocation, for ``talkbutton turnlog``.
        "verbose",
        ("log-min-level", "info"),
        ("pidfile", str(places.run / "turnserver.pid")),
    ]
