"""What coturn is given by ``up``: its certificate, and its secrets."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from support.daemons import live_secrets, live_settings
from support.turn import certificate
from talkbutton.errors import SettingsError, StackError
from talkbutton.operate.stack.certificates import turn_certificate
from talkbutton.operate.stack.places import Places
from talkbutton.operate.stack.sandbox import Identity
from talkbutton.operate.stack.turn_secrets import apply_turn_secrets, write_turn_secrets
from talkbutton.rules.render import TURN_DATABASE
from talkbutton.settings.model import NetworkSettings, Secrets, Settings

pytestmark = pytest.mark.shell

IDENTITY = Identity(os.getuid(), os.getgid(), from_root=False)


def settings_in(folder: Path) -> Settings:
    for path, name in zip(certificate(folder), ("c.pem", "k.pem"), strict=True):
        path.rename(folder / name)
    network = NetworkSettings(media_address="192.0.2.1")
    settings = live_settings(tls_certificate="c.pem", tls_key="k.pem")
    return settings.model_copy(update={"network": network})


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path / "talkbutton.toml")
    places.config("coturn").mkdir(parents=True)
    return places


def renew(folder: Path, name: str, *, which: int) -> None:
    """Put one half of another pair in place, as a certificate client does."""
    certificate(folder, name)[which].replace(folder / ("c.pem", "k.pem")[which])


def test_a_changed_pair_is_seen_once_and_copied(tmp_path: Path, places: Places) -> None:
    mine = turn_certificate(settings_in(tmp_path), places, IDENTITY)
    mine.copy()
    assert not mine.has_changed()
    for path, target in zip(certificate(tmp_path, "next"), ("c.pem", "k.pem"), strict=True):
        path.replace(tmp_path / target)
    assert mine.has_changed()
    mine.copy()
    assert not mine.has_changed()
    copied = places.config("coturn") / "turn-certificate.pem"
    assert copied.read_text() == (tmp_path / "c.pem").read_text()
    assert copied.stat().st_mode & 0o777 == 0o400


@pytest.mark.parametrize("which", [0, 1], ids=["certificate", "key"])
def test_half_a_pair_is_not_given_to_coturn(tmp_path: Path, places: Places, which: int) -> None:
    mine = turn_certificate(settings_in(tmp_path), places, IDENTITY)
    mine.copy()
    before = {path: path.read_text() for path in places.config("coturn").iterdir()}
    renew(tmp_path, "next", which=which)
    with pytest.raises(SettingsError, match=r"turn\.tls_key"):
        mine.copy()
    assert {path: path.read_text() for path in places.config("coturn").iterdir()} == before
    assert not mine.has_changed()  # it is not tried again and again


def test_a_file_that_is_gone_is_said(tmp_path: Path, places: Places) -> None:
    mine = turn_certificate(settings_in(tmp_path), places, IDENTITY)
    (tmp_path / "c.pem").unlink()
    with pytest.raises(SettingsError, match=r"turn\.tls_certificate"):
        mine.copy()


def test_without_tls_there_is_nothing_to_watch(places: Places) -> None:
    settings = Settings(version=1, network=NetworkSettings(media_address="192.0.2.1"))
    mine = turn_certificate(settings, places, IDENTITY)
    mine.copy()
    assert not mine.has_changed()


def secrets_of(turn: str, previous: str | None) -> Secrets:
    values = {"turn_secret": turn * 32, "turn_secret_previous": previous and previous * 32}
    return Secrets.model_validate(live_secrets().model_dump() | values)


def accepted(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as database:
        return {value[0] for (value,) in database.execute("SELECT value FROM turn_secret")}


def test_both_secrets_are_accepted_until_one_is_dropped(tmp_path: Path, places: Places) -> None:
    settings, path = settings_in(tmp_path), places.config("coturn") / TURN_DATABASE
    apply_turn_secrets(places, settings, secrets_of("a", None))
    assert not path.exists()  # nothing was started yet
    write_turn_secrets(path, settings, secrets_of("a", None))
    assert path.stat().st_mode & 0o777 == 0o600
    assert accepted(path) == {"a"}
    apply_turn_secrets(places, settings, secrets_of("b", "a"))
    assert accepted(path) == {"a", "b"}
    apply_turn_secrets(places, settings, secrets_of("b", None))
    assert accepted(path) == {"b"}


def test_a_file_that_can_not_be_written_is_said_without_the_secret(
    tmp_path: Path, places: Places
) -> None:
    path = places.config("coturn") / TURN_DATABASE
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StackError, match="coturn's secrets") as refused:
        write_turn_secrets(path, settings_in(tmp_path), secrets_of("a", None))
    assert "aaaa" not in str(refused.value)
    assert not (tmp_path / "elsewhere").exists()
