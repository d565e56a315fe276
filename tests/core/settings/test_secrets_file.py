"""Secrets that are added, kept, and taken from the environment."""

import os
import stat
from pathlib import Path

import pytest

from talkbutton.errors import SettingsError
from talkbutton.settings.load import load_part_secrets, load_secrets, secrets_path
from talkbutton.settings.model import BridgeSecrets, EdgeSecrets
from talkbutton.settings.secrets_environment import secrets_from_environment
from talkbutton.settings.secrets_file import SecretsFile, read_secrets_file, write_secrets_file
from talkbutton.settings.starter import complete_secrets, write_first_settings

pytestmark = pytest.mark.core

VALUE = "0123456789abcdef" * 2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_first_settings(tmp_path / "talkbutton.toml")
    return secrets_path(tmp_path / "talkbutton.toml")


def test_a_newer_version_adds_what_it_needs_and_touches_nothing_else(path: Path) -> None:
    before = read_secrets_file(path)
    kept = {name: one for name, one in before.values.items() if name != "challenge_key"}
    write_secrets_file(path, SecretsFile(kept | {"redis_password": VALUE}, {"grant_key": 7}))
    assert complete_secrets(path.with_name("talkbutton.toml")) == ["challenge_key"]
    after = read_secrets_file(path)
    assert {name: after.values[name] for name in kept} == kept
    assert after.values["redis_password"] == VALUE
    assert after.values["challenge_key"] not in before.values.values()
    assert after.made_unix["grant_key"] == 7
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert complete_secrets(path.with_name("talkbutton.toml")) == []
    assert load_secrets(path).redis_password is not None


def test_a_file_is_replaced_whole_and_leaves_no_copy(path: Path) -> None:
    with path.open(encoding="utf-8") as seen_before:
        inode = path.stat().st_ino
        write_secrets_file(path, read_secrets_file(path))
        assert path.stat().st_ino != inode
        assert "grant_key" in seen_before.read()
    assert [one.name for one in path.parent.glob("*secrets*")] == [path.name]
    assert not list(path.parent.glob(".*"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_leaves_the_file_to_its_owner(path: Path) -> None:
    os.chown(path, 4_321, 4_322)
    write_secrets_file(path, read_secrets_file(path))
    assert (path.stat().st_uid, path.stat().st_gid) == (4_321, 4_322)


def test_a_file_that_others_may_read_is_not_completed(path: Path) -> None:
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="may be read by other users"):
        complete_secrets(path.with_name("talkbutton.toml"))


def test_a_table_of_times_that_is_none_is_refused(path: Path) -> None:
    path.write_text(path.read_text().replace('["made_unix"]', '["made_unix"]\nx = "soon"'))
    with pytest.raises(SettingsError, match="not a table of Unix times"):
        read_secrets_file(path)


def test_the_environment_is_above_the_file(path: Path) -> None:
    environ = {"TALKBUTTON_SECRET_GRANT_KEY": VALUE}
    assert load_secrets(path, environ).grant_key.get_secret_value() == VALUE
    assert load_secrets(path).grant_key.get_secret_value() != VALUE


def test_a_container_needs_no_secrets_file(tmp_path: Path) -> None:
    held = tmp_path / "ticket"
    held.write_text(f"{VALUE}\n", encoding="ascii")
    environ = {
        "TALKBUTTON_SECRET_ARI_PASSWORD": VALUE[::-1],
        "TALKBUTTON_SECRET_TICKET_KEY_FILE": str(held),
    }
    secrets = load_part_secrets(tmp_path / "none.toml", BridgeSecrets, environ)
    assert secrets.ticket_key.get_secret_value() == VALUE
    with pytest.raises(SettingsError, match="does not exist"):
        load_part_secrets(tmp_path / "none.toml", EdgeSecrets, {})


def test_what_the_environment_gives_is_not_made(tmp_path: Path) -> None:
    environ = {"TALKBUTTON_SECRET_GRANT_KEY": VALUE}
    write_first_settings(tmp_path / "talkbutton.toml", environ)
    assert "grant_key" not in read_secrets_file(secrets_path(tmp_path / "talkbutton.toml")).values


def test_another_programs_secret_is_refused(path: Path) -> None:
    with pytest.raises(SettingsError, match="SIP_PASSWORD is no secret that this program may know"):
        load_part_secrets(path, EdgeSecrets, {"TALKBUTTON_SECRET_SIP_PASSWORD": VALUE})


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"GRANT_KEY": VALUE, "GRANT_KEY_FILE": "/x"}, "are both set"),
        ({"GRANT_KEY_FILE": "/nowhere/at/all"}, "cannot be read: No such file"),
        ({"GRANT_KEY_FILE": "/dev/zero"}, "longer than 4096 bytes"),
    ],
)
def test_a_secret_that_can_not_be_had_is_named(environ: dict[str, str], reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        secrets_from_environment(
            {f"TALKBUTTON_SECRET_{name}": value for name, value in environ.items()}, {"grant_key"}
        )


def test_a_bad_secret_in_the_environment_is_named_and_never_shown(path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load_secrets(path, {"TALKBUTTON_SECRET_GRANT_KEY": "hush"})
    assert "TALKBUTTON_SECRET_GRANT_KEY" in str(caught.value)
    assert "hush" not in str(caught.value)
