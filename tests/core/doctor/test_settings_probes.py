import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support.daemons import live_secrets
from talkbutton.operate.doctor import Broken, Held, NotTried, Outcome, Target
from talkbutton.operate.doctor.settings import settings_probes, versions_probes
from talkbutton.operate.stack.places import Places
from talkbutton.settings.model import Settings

pytestmark = pytest.mark.core

PUBLIC: dict[str, object] = {"listen_address": "0.0.0.0", "public_url": "https://talk.example"}
OWN: dict[str, object] = {"allowed_origins": ("https://shop.example",)}


def target(settings: Settings, versions: dict[str, str] | None = None) -> Target:
    folder = Path("/nowhere")
    return Target(
        settings, live_secrets(), folder / "s", Places(folder / "talkbutton.toml"), versions or {}
    )


def settings_with(**changes: Mapping[str, object]) -> Settings:
    """Return settings with changed fields, checked by nobody: what if a check were missing?

    ``site`` changes the one site, ``limits`` and ``challenge`` what is in it.
    """
    settings = Settings(version=1)
    site = settings.sites["default"]
    for name in ("limits", "challenge"):
        block = getattr(site, name).model_copy(update=changes.pop(name, {}))
        site = site.model_copy(update={name: block})
    site = site.model_copy(update=changes.pop("site", {}))
    blocks = {
        name: getattr(settings, name).model_copy(update=change) for name, change in changes.items()
    }
    return settings.model_copy(update={"sites": {"default": site}, **blocks})


def look(one: Target) -> dict[str, Outcome]:
    probes = [*settings_probes(one), *versions_probes(one)]
    return {probe.name: asyncio.run(_run(probe.run())) for probe in probes}


async def _run(outcome: Any) -> Outcome:
    found: Outcome = await outcome
    return found


def test_the_defaults_are_not_risky() -> None:
    outcomes = look(target(settings_with()))
    found = {name: one for name, one in outcomes.items() if name.startswith("settings.")}
    assert len(found) == 5
    assert all(isinstance(one, Held) for one in found.values()), found


def test_a_public_site_with_the_default_limits_is_not_risky() -> None:
    site = {"allowed_origins": ("https://shop.example", "https://*.shop.example")}
    found = look(target(settings_with(edge=PUBLIC, site=site)))
    broken = {name for name, one in found.items() if isinstance(one, Broken)}
    assert broken == set()


@pytest.mark.parametrize(
    "origin",
    ["*", "null", "https://*", "https://*.com", "https://shop*.example.com", "http://shop.example"],
)
def test_loose_origins_are_named(origin: str) -> None:
    found = look(target(settings_with(edge=PUBLIC, site={"allowed_origins": (origin,)})))
    assert found["settings.origins"] == Broken(f"sites.default.allowed_origins has {origin}")


@pytest.mark.parametrize(
    ("settings", "name", "evidence"),
    [
        (
            settings_with(edge={"public_url": "http://talk.example:8080"}),
            "settings.https",
            "edge.public_url is http://talk.example:8080",
        ),
        (
            settings_with(edge={"trusted_proxies": ("0.0.0.0/0", "10.0.0.1")}),
            "settings.proxies",
            "edge.trusted_proxies has 0.0.0.0/0",
        ),
        (
            settings_with(edge=PUBLIC, site=OWN, limits={"calls_per_address": 500}),
            "settings.limits",
            "sites.default.limits.calls_per_address is 500",
        ),
        (
            settings_with(edge=PUBLIC, site=OWN, challenge={"when": "never"}),
            "settings.limits",
            "sites.default.challenge.when is never",
        ),
        (settings_with(turn={"user_quota": 900}), "settings.relay", "turn.user_quota is 900"),
        (
            settings_with(turn={"credentials_ttl_s": 86_400}),
            "settings.relay",
            "turn.credentials_ttl_s is 86400",
        ),
        (
            settings_with(network={"private_address": "9.9.9.9"}),
            "settings.relay",
            "network.private_address is 9.9.9.9",
        ),
    ],
)
def test_risky_settings_are_named(settings: Settings, name: str, evidence: str) -> None:
    assert look(target(settings))[name] == Broken(evidence)


def test_limits_are_the_owners_own_while_nobody_else_can_call() -> None:
    own = settings_with(limits={"calls_per_address": 500})
    assert isinstance(look(target(own))["settings.limits"], Held)


def test_old_programs_are_named() -> None:
    found = look(target(settings_with(), {"asterisk": "18.10.0", "janus": "1.4.1"}))
    assert found["versions.asterisk"] == Broken("18.10.0")
    assert found["versions.janus"] == Held("1.4.1")
    assert isinstance(found["versions.coturn"], NotTried)
