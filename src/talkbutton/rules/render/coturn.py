"""coturn's configuration: a relay to this machine's media address and to nothing else."""

from ipaddress import ip_address
from pathlib import PurePosixPath

from talkbutton.rules.render.places import Places
from talkbutton.rules.render.turnserver import Option, render_turnserver
from talkbutton.settings.model import Secrets, Settings

__all__ = ["ALLOCATION_LIFETIME_S", "render_coturn"]

ALLOCATION_LIFETIME_S = 600
"""Longest time between two refreshes, in seconds; coturn takes no less. What a vanished browser
holds is freed after it."""

_UNAUTHORIZED_PER_S = 50
"""Answers "401 Unauthorized" to one address each second: enough for a full office behind one NAT,
too few for a reflection attack to pay."""

_FILE = "turnserver.conf"


def render_coturn(settings: Settings, secrets: Secrets, places: Places) -> dict[PurePosixPath, str]:
    """Return coturn's files by path under its configuration folder.

    Peers are decided by two rules: everything is denied, then the media address is allowed
    (coturn lets the second beat the first). Behind a 1:1 NAT coturn itself turns the announced
    address, which browsers name as Janus's, into the media address before it looks at the rules.

    Raises:
        SettingsError: If a secret can't be written to the file.
        ValueError: If an address in ``places`` is not one.
    """
    options = [
        *_listeners(settings, places),
        *_authentication(settings, secrets),
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
        ]
    return options


def _authentication(settings: Settings, secrets: Secrets) -> list[Option]:
    return [
        ("realm", settings.turn.realm),
        "use-auth-secret",
        ("static-auth-secret", secrets.turn_secret.get_secret_value()),
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
        ("max-allocate-lifetime", ALLOCATION_LIFETIME_S),
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
        ("pidfile", str(places.run / "turnserver.pid")),
        ("userdb", str(places.run / "turndb")),
    ]
