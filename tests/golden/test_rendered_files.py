"""The rendered files of three deployments and the firewalls of four zones, as reviewed.

To write them anew: ``TALKBUTTON_GOLDEN=write pytest tests/golden``, then read the difference.
"""

import os
from pathlib import Path
from typing import get_args

import pytest

from talkbutton.rules.render import Places, render_all
from talkbutton.rules.render.firewall import (
    Zone,
    render_groups,
    render_nftables,
    render_ufw,
    zone_rules,
)
from talkbutton.settings.model import Secrets, Settings

pytestmark = pytest.mark.golden

FILES = Path(__file__).parent / "files"
WRITE_VARIABLE = "TALKBUTTON_GOLDEN"

DEPLOYMENTS: dict[str, tuple[dict[str, object], Places]] = {
    "default": ({}, Places("192.168.1.20")),
    "behind-nat-with-tls": (
        {
            "network": {"announced_address": "203.0.113.9", "private_address": "10.0.0.7"},
            "turn": {
                "listen_address": "10.0.0.6",
                "tls_certificate": "turn.pem",
                "tls_key": "turn.key",
                "realm": "shop.example",
                "also_listen": ["10.0.0.7:443"],
            },
        },
        Places("10.0.0.5"),
    ),
    "two-sites": (
        {
            "sites": {
                "bikes": {"extension": "7100", "allowed_origins": ["https://bikes.example"]},
                "boats": {"extension": "7000", "allowed_origins": ["https://boats.example"]},
                "boats-fr": {"extension": "7000", "allowed_origins": ["https://bateaux.example"]},
                "trains": {"extension": "612", "allowed_origins": ["https://trains.example"]},
            },
            "bridge": {"calls_max": 20, "codec": "g722"},
        },
        Places("198.51.100.7"),
    ),
}


def _rendered(deployment: str) -> dict[str, str]:
    blocks, places = DEPLOYMENTS[deployment]
    document = {"version": 1, **blocks}
    secrets = {
        name: f"golden-{name.replace('_', '-')}-{'0123456789' * 2}x"
        for name in Secrets.model_fields
    }
    settings = Settings.model_validate(document, strict=False)
    parts = render_all(settings, Secrets.model_validate(secrets), places)
    return {f"{part}/{path}": text for part, files in parts.items() for path, text in files.items()}


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_files_are_as_reviewed(deployment: str) -> None:
    _compare(FILES / deployment, _rendered(deployment))


def _compare(folder: Path, rendered: dict[str, str]) -> None:
    if os.environ.get(WRITE_VARIABLE) == "write":
        _write(folder, rendered)
    reviewed = {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert rendered == reviewed, f"when this is meant: {WRITE_VARIABLE}=write pytest tests/golden"


def _write(folder: Path, rendered: dict[str, str]) -> None:
    for old in [path for path in folder.rglob("*") if path.is_file()]:
        old.unlink()
    for name, text in rendered.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


FIREWALL: dict[str, object] = {
    "version": 1,
    "edge": {"listen_address": "0.0.0.0", "public_url": "https://voice.example", "port": 443},
    "turn": {"tls_certificate": "turn.pem", "tls_key": "turn.key"},
    "limits": {"store": "redis", "redis_url": "redis://10.1.0.4:6379/0"},
    "firewall": {
        "edge_addresses": ["10.1.0.2", "fd00::2"],
        "core_addresses": ["10.1.0.3", "fd00::3"],
        "app_addresses": ["10.1.0.4", "fd00::4"],
        "operator_networks": ["192.0.2.0/24"],
    },
}


def test_firewalls_are_as_reviewed() -> None:
    settings = Settings.model_validate(FIREWALL, strict=False)
    rendered: dict[str, str] = {}
    for zone in get_args(Zone):
        rules = zone_rules(settings, zone)
        rendered |= {
            f"{zone}.nft": render_nftables(rules),
            f"{zone}.ufw.sh": render_ufw(rules),
            f"{zone}.groups.txt": render_groups(rules),
        }
    _compare(FILES / "firewall", rendered)
