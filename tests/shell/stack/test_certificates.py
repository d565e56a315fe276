import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from support.certificates import write_certificate
from talkbutton.edge.tls import Certificate
from talkbutton.errors import SettingsError
from talkbutton.operate.stack.certificates import edge_certificate
from talkbutton.operate.stack.lan import (
    LAN_CERTIFICATE,
    LAN_KEY,
    https_on_lan,
    write_lan_certificate,
)
from talkbutton.operate.stack.places import Places
from talkbutton.operate.stack.prepare import settings_in_force
from talkbutton.operate.stack.sandbox import Identity
from talkbutton.settings.model import EdgeSettings, NetworkSettings, Settings

pytestmark = pytest.mark.shell

ME = Identity(os.getuid(), os.getgid(), from_root=False)
NOW = datetime(2026, 11, 24, tzinfo=UTC)
LAN = Settings(version=1, network=NetworkSettings(media_address="192.0.2.7"))


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path / "talkbutton.toml")
    (places.run / "edge").mkdir(parents=True)
    return places


@pytest.fixture
def edge() -> EdgeSettings:
    return EdgeSettings(
        public_url="https://talk.example",
        tls_certificate="certificate.pem",
        tls_key="key.pem",
    )


def test_the_edge_gets_a_copy_that_only_it_can_read_and_another_when_it_changes(
    tmp_path: Path, places: Places, edge: EdgeSettings
) -> None:
    chain, key = write_certificate(tmp_path)
    certificate = edge_certificate(edge, places, ME)
    certificate.copy()
    assert places.edge_certificate.read_bytes() == chain.read_bytes()
    assert stat.S_IMODE(places.edge_key.stat().st_mode) == 0o400
    assert stat.S_IMODE(places.edge_tls.stat().st_mode) == 0o700
    assert not certificate.has_changed()
    in_use = Certificate(places.edge_certificate, places.edge_key)
    write_certificate(tmp_path, "renewed.example")
    assert certificate.has_changed()
    certificate.copy()
    assert places.edge_key.read_bytes() == key.read_bytes()
    assert not certificate.has_changed()
    in_use.look()


def test_a_change_that_cannot_be_read_is_said_once_and_the_copy_stays(
    tmp_path: Path, places: Places, edge: EdgeSettings
) -> None:
    chain, _ = write_certificate(tmp_path)
    certificate = edge_certificate(edge, places, ME)
    certificate.copy()
    before = places.edge_certificate.read_bytes()
    chain.unlink()
    assert certificate.has_changed()
    with pytest.raises(SettingsError, match=r"edge\.tls_certificate is"):
        certificate.copy()
    assert not certificate.has_changed()
    assert places.edge_certificate.read_bytes() == before


@pytest.mark.parametrize("content", [None, "", "no pem", "-----BEGIN" + "x" * 1_000_001])
def test_a_file_that_is_no_certificate_stops_the_start(
    tmp_path: Path, places: Places, edge: EdgeSettings, content: str | None
) -> None:
    chain, _ = write_certificate(tmp_path)
    chain.unlink()
    if content is not None:
        chain.write_text(content)
    with pytest.raises(SettingsError, match=r"edge\.tls_certificate is .*PEM file"):
        edge_certificate(edge, places, ME).copy()


def test_without_a_certificate_an_earlier_copy_is_removed(
    tmp_path: Path, places: Places, edge: EdgeSettings
) -> None:
    write_certificate(tmp_path)
    edge_certificate(edge, places, ME).copy()
    edge_certificate(EdgeSettings(), places, ME).copy()
    assert not places.edge_tls.exists()


def test_the_lan_demo_listens_outside_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    settings, said = https_on_lan(LAN, tmp_path)
    assert settings.edge.listen_address == "192.0.2.7"
    assert settings.edge.public_url == "https://192.0.2.7:8443"
    assert "https://192.0.2.7:8443" in settings.sites["default"].allowed_origins
    assert settings.turn_address("192.0.2.7") == "192.0.2.7"
    assert "warns" in " ".join(said)
    Certificate(tmp_path / LAN_CERTIFICATE, tmp_path / LAN_KEY)
    assert stat.S_IMODE((tmp_path / LAN_KEY).stat().st_mode) == 0o600
    Settings.model_validate_json(settings.model_dump_json())  # as the parts will read it
    in_force = settings_in_force(settings, tmp_path)
    assert in_force.edge.tls_key == str(Places(tmp_path / "talkbutton.toml").edge_key)


def test_a_certificate_of_the_owner_is_left_alone(tmp_path: Path, edge: EdgeSettings) -> None:
    settings, said = https_on_lan(LAN.model_copy(update={"edge": edge}), tmp_path)
    assert settings.edge.tls_certificate == "certificate.pem"
    assert not (tmp_path / LAN_CERTIFICATE).exists()
    assert "warns" not in " ".join(said)


def test_the_lan_certificate_is_kept_while_it_is_good(tmp_path: Path) -> None:
    def write(address: str, at: datetime) -> bool:
        return write_lan_certificate(tmp_path, address, ["shop", "shop.local"], now=at)

    assert write("192.0.2.7", NOW)
    assert not write("192.0.2.7", NOW + timedelta(days=300))
    assert write("192.0.2.8", NOW)
    assert write("192.0.2.8", NOW + timedelta(days=360))
    assert write("192.0.2.8", NOW - timedelta(days=2))
    (tmp_path / LAN_CERTIFICATE).write_text("nonsense")
    assert write("192.0.2.8", NOW)
    certificate = x509.load_pem_x509_certificate((tmp_path / LAN_CERTIFICATE).read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {"shop", "shop.local", "localhost"}
