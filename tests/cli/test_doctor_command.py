"""``talkbutton doctor`` where nothing runs: what it says, and with which exit code."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from talkbutton.cli.exit_codes import ExitCode
from talkbutton.cli.main import app
from talkbutton.settings.starter import write_first_settings

pytestmark = pytest.mark.cli

runner = CliRunner()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("TALKBUTTON_"):
            monkeypatch.delenv(name)
    write_first_settings(tmp_path / "talkbutton.toml")
    return tmp_path


def run(*arguments: str) -> tuple[int, str, str]:
    environment = {"COLUMNS": "200", "NO_COLOR": "1"}
    result = runner.invoke(app, ["doctor", *arguments], env=environment)
    return result.exit_code, result.stdout, result.stderr


def test_it_wants_to_know_what_to_look_at() -> None:
    code, _, err = run()
    assert code == ExitCode.USAGE
    assert "say what to look at: --security" in err


def test_where_nothing_runs_it_cannot_look() -> None:
    code, out, err = run("--security")
    assert code == ExitCode.STACK
    assert out == ""
    assert err == "talkbutton: doctor: nothing runs in this folder; run `talkbutton up`\n"


def test_without_settings_it_says_so(folder: Path) -> None:
    (folder / "talkbutton.toml").unlink()
    code, _, err = run("--security", "--list")
    assert code == ExitCode.SETTINGS
    assert "talkbutton.toml does not exist" in err


def test_the_list_tries_nothing() -> None:
    code, out, _ = run("--security", "--list", "--only", "janus,turn.quota")
    assert code == ExitCode.OK
    names = [line.strip() for line in out.splitlines() if line.startswith("  ") and "." in line[:8]]
    assert names[0] == "turn.quota"
    assert out.splitlines()[0] == "turn"
    assert "  janus.no-secret" in out.splitlines()
    assert "expected: 403" in out
    assert "sessions" not in out


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    code, _, err = run("--security", "--list", "--only", "coturn")
    assert code == ExitCode.USAGE
    assert "coturn is no area and no probe; areas are turn, sessions, janus" in err


def test_readable_secrets_do_not_end_it(folder: Path) -> None:
    (folder / "talkbutton.secrets.toml").chmod(0o644)
    code, out, _ = run("--security", "--list", "--only", "files")
    assert code == ExitCode.OK
    assert "  files.secrets" in out.splitlines()


def test_broken_secrets_end_it_without_being_shown(folder: Path) -> None:
    secrets = folder / "talkbutton.secrets.toml"
    for mode in (0o600, 0o644):
        secrets.write_text('grant_key = "do-not-show"\n')
        secrets.chmod(mode)
        code, out, err = run("--security", "--list")
        assert code == ExitCode.SETTINGS
        assert "do-not-show" not in out + err
