import asyncio
from pathlib import Path
from typing import Any

import pytest

from support.daemons import live_secrets
from talkbutton.operate.doctor import Broken, Held, NotTried, Outcome, Target
from talkbutton.operate.doctor.settings import settings_probes, versions_probes
from talkbutton.operate.stack.places import Places
from talkbutton.settings.model import Settings

pytestmark = pytest.mark.core

PUBLIC = {"listen_address": "0.0.0.0", "public_url": "https://talk.example"}
ORIGIN = ["https://shop.example"]


def target(document: dict[str, Any], versions: dict[str, str] | None = None) -> Target:
    settings = Settings.model_validate_json(_json({"version": 1, **document}))
    folder = Path("/nowhere")
    return Target(
        settings, live_secrets(), folder / "s", Places(folder / "talkbutton.toml"), versions or {}
    )


def _json(document: dict[str, Any]) -> str:
    import json

    return json.dumps(document)


def look(one: Target) -> dict[str, Outcome]:
    probes = [*settings_probes(one), *versions_probes(one)]
    return {probe.name: asyncio.run(_run(probe.run())) for probe in probes}


async def _run(outcome: Any) -> Outcome:
    found: Outcome = await outcome
    return found


def test_the_defaults_are_not_risky() -> None:
    found = {name: one for name, one in look(target({})).items() if name.startswith("settings.")}
    assert len(found) == 5
    assert all(isinstance(one, Held) for one in found.values()), found


def test_a_public_site_with_the_default_limits_is_not_risky() -> None:
    site = {"default": {"allowed_origins": [*ORIGIN, "https://*.shop.example"]}}
    found = look(target({"edge": PUBLIC, "sites": site}))
    broken = {name for name, one in found.items() if isinstance(one, Broken)}
    assert broken == set()


@pytest.mark.parametrize(
    ("document", "name", "evidence"),
    [
        (
            {"edge": {"public_url": "http://talk.example:8080"}},
            "settings.https",
            "edge.public_url is http://talk.example:8080",
        ),
        (
            {"sites": {"default": {"allowed_origins": ["*"]}}},
            "settings.origins",
            "sites.default.allowed_origins has *",
        ),
        (
            {"sites": {"default": {"allowed_origins": ["null"]}}},
            "settings.origins",
            "sites.default.allowed_origins has null",
        ),
        (
            {"sites": {"default": {"allowed_origins": ["https://*.com"]}}},
            "settings.origins",
            "sites.default.allowed_origins has https://*.com",
        ),
        (
            {"sites": {"default": {"allowed_origins": ["https://shop*.example.com"]}}},
            "settings.origins",
            "sites.default.allowed_origins has https://shop*.example.com",
        ),
        (
            {"edge": PUBLIC, "sites": {"a": {"allowed_origins": ["http://shop.example"]}}},
            "settings.origins",
            "sites.a.allowed_origins has http://shop.example",
        ),
        (
            {"edge": {"trusted_proxies": ["0.0.0.0/0", "10.0.0.1"]}},
            "settings.proxies",
            "edge.trusted_proxies has 0.0.0.0/0",
        ),
        (
            {"edge": PUBLIC, "sites": {"a": {"limits": {"calls_per_address": 500}}}},
            "settings.limits",
            "sites.a.limits.calls_per_address is 500",
        ),
        (
            {"edge": PUBLIC, "sites": {"a": {"challenge": {"when": "never"}}}},
            "settings.limits",
            "sites.a.challenge.when is never",
        ),
        ({"turn": {"user_quota": 900}}, "settings.relay", "turn.user_quota is 900"),
        (
            {"turn": {"credentials_ttl_s": 86_400}},
            "settings.relay",
            "turn.credentials_ttl_s is 86400",
        ),
    ],
)
def test_risky_settings_are_named(document: dict[str, Any], name: str, evidence: str) -> None:
    assert look(target(document))[name] == Broken(evidence)


def test_limits_are_the_owners_own_while_nobody_else_can_call() -> None:
    own = {"sites": {"default": {"limits": {"calls_per_address": 500}}}}
    assert isinstance(look(target(own))["settings.limits"], Held)


def test_old_programs_are_named() -> None:
    found = look(target({}, {"asterisk": "18.10.0", "janus": "1.4.1"}))
    assert found["versions.asterisk"] == Broken("18.10.0")
    assert found["versions.janus"] == Held("1.4.1")
    assert isinstance(found["versions.coturn"], NotTried)
