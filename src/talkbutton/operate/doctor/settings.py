"""Looks for settings that open a door, and for programs that are too old. Pure."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from talkbutton.operate.doctor.probe import NotTried, Outcome, Probe, judge
from talkbutton.operate.doctor.target import Target
from talkbutton.operate.stack.host import FLOORS, version_of
from talkbutton.settings.model import Settings, loopback_or_private

__all__ = ["settings_probes", "versions_probes"]

Find = Callable[[Settings], Iterator[str]]
"""Yields what is risky."""

_HERE = {"localhost", "127.0.0.1", "::1"}
_PROXIES_V4_MIN_BITS, _PROXIES_V6_MIN_BITS = 8, 32
_CALLS_PER_ADDRESS_SANE = 20
_CALLS_PER_ADDRESS_AND_HOUR_SANE = 60
_SESSIONS_PER_ADDRESS_SANE = 120
_USER_QUOTA_SANE = 50
_CREDENTIALS_TTL_SANE_S = 3_600


def versions_probes(target: Target) -> list[Probe]:
    """Return the looks at the telephony programs' versions."""
    return [
        Probe(
            f"versions.{program}",
            "versions",
            f"Attacks that older versions of {program} are known for.",
            f"version {_dotted(floor)} or newer",
            "Remove the telephony programs' folder and run `talkbutton install`.",
            partial(asyncio.to_thread, _is_new_enough, target, program, floor),
        )
        for program, floor in FLOORS.items()
    ]


def _is_new_enough(target: Target, program: str, floor: tuple[int, ...]) -> Outcome:
    found = target.versions.get(program)
    if found is None:
        return NotTried("the installation does not say its version")
    return judge(found, [] if version_of(found) >= floor else [found], tried=1)


def settings_probes(target: Target) -> list[Probe]:
    """Return the looks at the settings."""
    settings = target.settings
    checks = {
        "https": (
            "Listening in between the visitor and the edge.",
            "edge.public_url is https, or this machine only",
            "Set edge.public_url to an https URL, with a certificate or behind a reverse proxy.",
            _plain_http,
        ),
        "origins": (
            "Starting calls from a page that anybody can make.",
            "allowed_origins names exact origins, or names below one domain over https",
            "Name the origins of your own pages in sites.*.allowed_origins.",
            _loose_origins,
        ),
        "proxies": (
            "Forging an address through a proxy that anybody is.",
            "edge.trusted_proxies names single proxies or small networks",
            "Name only your own reverse proxies in edge.trusted_proxies.",
            _loose_proxies,
        ),
        "limits": (
            "Draining the owner's money from one address.",
            "limits of one address are those of a person",
            "Lower what is named; the defaults are for a public site.",
            _loose_limits,
        ),
        "relay": (
            "Using the relay for something else.",
            "small quotas, short credentials, a relay that is this machine's only",
            "Lower what is named; the defaults are for a public site.",
            _loose_relay,
        ),
    }
    return [
        Probe(
            f"settings.{name}",
            "settings",
            tries,
            expects,
            mend,
            partial(asyncio.to_thread, _look, settings, find),
        )
        for name, (tries, expects, mend, find) in checks.items()
    ]


def _look(settings: Settings, find: Find) -> Outcome:
    return judge("nothing risky is set", list(find(settings)), tried=1)


def is_public(settings: Settings) -> bool:
    """Return whether others than this machine can reach the edge."""
    listens_here = ip_address(settings.edge.listen_address).is_loopback
    is_here = urlsplit(settings.edge.public_url).hostname in _HERE
    return not (listens_here and is_here)


def _plain_http(settings: Settings) -> Iterator[str]:
    url = urlsplit(settings.edge.public_url)
    if url.scheme == "http" and url.hostname not in _HERE:
        yield f"edge.public_url is {settings.edge.public_url}"


def _loose_origins(settings: Settings) -> Iterator[str]:
    for name, site in settings.sites.items():
        for origin in site.allowed_origins:
            url = urlsplit(origin)
            host = url.hostname or ""
            labels = host.removeprefix("*.").split(".")
            is_below_one = "*" not in host or (host.startswith("*.") and len(labels) > 1)
            is_loose = origin in {"*", "null"} or not is_below_one or "*" in host[1:]
            is_plain = url.scheme == "http" and host not in _HERE
            if is_loose or (is_plain and is_public(settings)):
                yield f"sites.{name}.allowed_origins has {origin}"


def _loose_proxies(settings: Settings) -> Iterator[str]:
    for proxy in settings.edge.trusted_proxies:
        network = ip_network(proxy, strict=False)
        least = _PROXIES_V4_MIN_BITS if network.version == 4 else _PROXIES_V6_MIN_BITS
        if network.prefixlen < least:
            yield f"edge.trusted_proxies has {proxy}"


def _loose_limits(settings: Settings) -> Iterator[str]:
    if not is_public(settings):
        return
    for name, site in settings.sites.items():
        found = {
            "calls_per_address": _CALLS_PER_ADDRESS_SANE,
            "calls_per_address_and_hour": _CALLS_PER_ADDRESS_AND_HOUR_SANE,
            "sessions_per_address_and_minute": _SESSIONS_PER_ADDRESS_SANE,
        }
        for field, most in found.items():
            value = getattr(site.limits, field)
            if value > most:
                yield f"sites.{name}.limits.{field} is {value}"
        if site.challenge.when == "never":
            yield f"sites.{name}.challenge.when is never"


def _loose_relay(settings: Settings) -> Iterator[str]:
    turn = settings.turn
    if turn.user_quota > _USER_QUOTA_SANE:
        yield f"turn.user_quota is {turn.user_quota}"
    if turn.credentials_ttl_s > _CREDENTIALS_TTL_SANE_S:
        yield f"turn.credentials_ttl_s is {turn.credentials_ttl_s}"
    if not loopback_or_private(settings.network.private_address):
        yield f"network.private_address is {settings.network.private_address}"


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in version)
