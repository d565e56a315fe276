"""Commands as a person types them, where nothing has to run."""

import asyncio
import json
import os
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from talkbutton.cli.exit_codes import ExitCode
from talkbutton.cli.main import app
from talkbutton.operate.stack.places import Places
from talkbutton.rules.admission.call_claims import call_lease, revoked_key
from talkbutton.runtime.journal import Journal
from talkbutton.runtime.ledger import SqliteLedger
from talkbutton.settings.load import secrets_path
from talkbutton.settings.secrets_file import read_secrets_file
from talkbutton.settings.starter import write_first_settings

pytestmark = pytest.mark.cli

CALL = "019ab3000000" + "0" * 20
runner = CliRunner()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("TALKBUTTON_"):
            monkeypatch.delenv(name)
    return tmp_path


def run(*arguments: str) -> tuple[int, str, str]:
    result = runner.invoke(app, list(arguments), env={"COLUMNS": "200", "NO_COLOR": "1"})
    return result.exit_code, result.stdout, result.stderr


async def write_call(path: Path, call_id: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    journal = Journal(path, program="edge")
    await journal.open()
    journal.append(call_id, "session.admitted", "edge", site="default")
    journal.append(call_id, "call.ended", "edge", cause="visitor_hung_up", answer_ms=12)
    await journal.close()


COMMANDS = [
    ["up"],
    ["install"],
    ["init"],
    ["secrets", "rotate"],
    ["secrets", "drop-previous"],
    ["secrets", "status"],
    ["status"],
    ["down"],
    ["logs"],
    ["doctor"],
    ["calls"],
    ["calls", "show"],
    ["calls", "end"],
    ["config", "check"],
    ["config", "render"],
    ["config", "reference"],
    ["config", "firewall"],
    ["edge"],
    ["bridge"],
    ["keeper"],
    ["speech-vad"],
    ["speech-transcriber"],
    ["speech-voice"],
    ["speech-meaning"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_shows_an_example(command: list[str]) -> None:
    code, out, _ = run(*command, "--help")
    assert code == ExitCode.OK
    assert "Example" in out
    assert f"talkbutton {' '.join(command)}" in out


def test_config_check_accepts_the_first_settings(folder: Path) -> None:
    write_first_settings(folder / "talkbutton.toml")
    code, out, _ = run("config", "check")
    assert (code, "are fine" in out) == (ExitCode.OK, True)


def test_a_wrong_setting_is_one_sentence_and_its_own_exit_code(folder: Path) -> None:
    write_first_settings(folder / "talkbutton.toml")
    (folder / "talkbutton.toml").write_text("version = 1\n[edge]\nprot = 1\n", encoding="utf-8")
    for command in (["config", "check"], ["config", "render", "--out", "x"], ["up"]):
        code, _, err = run(*command)
        assert code == ExitCode.SETTINGS
        assert err == (
            "talkbutton: talkbutton.toml: edge.prot is not a known setting; "
            "did you mean edge.port?\n"
        )


def test_render_writes_private_files_for_every_daemon(folder: Path) -> None:
    path = folder / "talkbutton.toml"
    write_first_settings(path)
    path.write_text('version = 1\n[network]\nmedia_address = "192.0.2.7"\n', encoding="utf-8")
    code, out, _ = run("config", "render", "--out", "rendered")
    assert code == ExitCode.OK
    written = [folder / line for line in out.splitlines()]
    assert {file.parent.name for file in written} == {"coturn", "asterisk", "janus"}
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in written)
    assert "192.0.2.7" in (folder / "rendered/janus/janus.jcfg").read_text(encoding="utf-8")


def test_the_reference_page_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs/reference/settings.md"
    _, out, _ = run("config", "reference")
    assert page.read_text(encoding="utf-8") == out, (
        "run: talkbutton config reference > docs/reference/settings.md"
    )


def test_the_worst_case_is_said_for_each_site(folder: Path) -> None:
    path = folder / "talkbutton.toml"
    write_first_settings(path)
    path.write_text(
        'version = 1\nedge.public_url = "https://talk.example"\n'
        "[sites.shop]\nbudget = { minutes_per_day = 60, price_per_minute = 0.5 }\n",
        encoding="utf-8",
    )
    code, out, _ = run("config", "exposure", "--addresses", "1")
    assert code == ExitCode.OK
    assert out == "shop: 1 addresses get 30 minutes of calls an hour, 60 a day for 30.00\n"
    code, out, _ = run("config", "exposure", "--json")
    assert json.loads(out)["shop"]["minutes_per_hour"] == 1_200


def test_calls_are_listed_and_shown(folder: Path) -> None:
    asyncio.run(write_call(Places(folder / "talkbutton.toml").journal, CALL))
    code, out, _ = run("calls")
    assert code == ExitCode.OK
    assert CALL[:16] in out
    assert "visitor_hung_up" in out
    code, out, _ = run("calls", "--json", "--limit", "5")
    [listed] = json.loads(out)
    assert (listed["call_id"], listed["cause"], listed["events"]) == (CALL, "visitor_hung_up", 2)
    code, out, _ = run("calls", "show", CALL[:8])
    lines = out.splitlines()
    assert lines[0].startswith(f"call {CALL}")
    assert "+0 ms  edge  session.admitted" in lines[1]
    assert lines[2].endswith('cause="visitor_hung_up" answer_ms=12')
    code, out, _ = run("calls", "show", CALL, "--json")
    assert [json.loads(line)["event"] for line in out.splitlines()] == [
        "session.admitted",
        "call.ended",
    ]


def test_a_call_that_is_not_there_or_not_one(folder: Path) -> None:
    assert run("calls") == (ExitCode.OK, "no calls yet\n", "")
    code, _, err = run("calls", "show", "ffff")
    assert (code, "there is no call ffff" in err) == (ExitCode.FINDINGS, True)
    journal = Places(folder / "talkbutton.toml").journal
    for other in ("a", "b"):
        asyncio.run(write_call(journal, CALL[:-1] + other))
    code, _, err = run("calls", "show", CALL[:8])
    assert (code, "2 calls begin with" in err) == (ExitCode.FINDINGS, True)


def test_looking_does_not_make_a_journal(folder: Path) -> None:
    run("calls")
    run("calls", "show", "ffff")
    assert list(folder.iterdir()) == []


def test_nothing_runs_here(folder: Path) -> None:
    write_first_settings(folder / "talkbutton.toml")
    code, out, _ = run("status")
    assert (code, "not running" in out) == (ExitCode.FINDINGS, True)
    assert run("status", "--json")[1] == '{\n  "parts": []\n}\n'
    assert run("down") == (ExitCode.OK, "nothing runs in this folder\n", "")


def test_logs_of_a_part_and_of_a_stranger(folder: Path) -> None:
    log = Places(folder / "talkbutton.toml").part_log("janus")
    log.parent.mkdir(parents=True)
    log.write_text("one\ntwo\nthree\n", encoding="utf-8")
    assert run("logs", "janus", "-n", "2") == (ExitCode.OK, "two\nthree\n", "")
    assert run("logs", "-n", "1")[1] == "janus | three\n"
    code, _, err = run("logs", "stranger")
    assert (code, "parts are coturn" in err) == (ExitCode.USAGE, True)


def test_a_part_refuses_secrets_that_others_may_read(folder: Path) -> None:
    path = folder / "talkbutton.toml"
    write_first_settings(path)
    secrets_path(path).chmod(0o644)
    code, _, err = run("keeper", "--secrets", str(secrets_path(path)))
    assert code == ExitCode.SETTINGS
    assert json.loads(err.splitlines()[-1])["message"].endswith(f"chmod 600 {secrets_path(path)}")


def test_the_firewall_is_printed_in_three_forms(folder: Path) -> None:
    write_first_settings(folder / "talkbutton.toml")
    code, out, _ = run("config", "firewall", "--zone", "all-in-one")
    assert (code, "table inet talkbutton {" in out) == (ExitCode.OK, True)
    code, out, _ = run("config", "firewall", "--zone", "all-in-one", "--form", "ufw")
    assert (code, "ufw default deny incoming" in out) == (ExitCode.OK, True)
    form = ("--form", "security-groups", "--json")
    code, out, _ = run("config", "firewall", "--zone", "all-in-one", *form)
    assert code == ExitCode.OK
    assert [one["from_port"] for one in json.loads(out)["ingress"]] == [22]


def test_a_firewall_that_lacks_an_address_says_which_setting(folder: Path) -> None:
    write_first_settings(folder / "talkbutton.toml")
    code, out, err = run("config", "firewall", "--zone", "core")
    assert (code, out) == (ExitCode.SETTINGS, "")
    assert "firewall.edge_addresses" in err


@pytest.mark.usefixtures("folder")
def test_only_security_groups_have_json() -> None:
    code, _, err = run("config", "firewall", "--zone", "edge", "--json")
    assert (code, "security-groups" in err) == (ExitCode.USAGE, True)


def values(folder: Path) -> dict[str, str]:
    return dict(read_secrets_file(secrets_path(folder / "talkbutton.toml")).values)


def test_init_writes_what_is_missing_once(folder: Path) -> None:
    code, out, _ = run("init")
    assert (code, out.count("wrote")) == (ExitCode.OK, 3)
    before = values(folder)
    assert run("init") == (ExitCode.OK, "everything is there already\n", "")
    assert values(folder) == before


def test_init_adds_a_secret_that_an_older_file_lacks(folder: Path) -> None:
    run("init")
    path = secrets_path(folder / "talkbutton.toml")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "challenge_key" not in line))
    code, out, _ = run("init")
    assert (code, out) == (
        ExitCode.OK,
        "made challenge_key, which talkbutton.secrets.toml lacked\n",
    )


def test_secrets_rotate_keeps_the_old_value_and_shows_none(folder: Path) -> None:
    run("init")
    before = values(folder)
    code, out, err = run("secrets", "rotate", "grant_key", "sip_password")
    after = values(folder)
    assert (code, "rotated grant_key, sip_password" in out) == (ExitCode.OK, True)
    assert after["grant_key_previous"] == before["grant_key"] != after["grant_key"]
    assert after["sip_password"] != before["sip_password"]
    code, status, _ = run("secrets", "status", "--json")
    rows = {row["name"]: row for row in json.loads(status)["secrets"]}
    assert rows["grant_key_previous"]["parts"] == ["edge"]
    assert rows["sip_password"]["parts"] == ["asterisk", "keeper"]
    assert rows["grant_key"]["age_s"] < 60
    code, dropped, _ = run("secrets", "drop-previous")
    assert (code, dropped) == (ExitCode.OK, "dropped grant_key_previous\n")
    assert run("secrets", "drop-previous")[1] == "there was nothing to drop\n"
    shown = out + err + status + dropped + run("secrets", "status")[1]
    assert not any(one in shown for one in (*before.values(), *after.values()))


def test_secrets_rotate_all(folder: Path) -> None:
    run("init")
    before = values(folder)
    assert run("secrets", "rotate", "--all")[0] == ExitCode.OK
    after = values(folder)
    assert all(after[name] != before[name] for name in before)
    assert run("config", "check")[0] == ExitCode.OK


def test_secrets_rotate_needs_to_know_which(folder: Path) -> None:
    run("init")
    assert run("secrets", "rotate")[0] == ExitCode.USAGE
    assert run("secrets", "rotate", "grant_key", "--all")[0] == ExitCode.USAGE
    code, _, err = run("secrets", "rotate", "redis_password")
    assert (code, "given by somebody else" in err) == (ExitCode.SETTINGS, True)
    assert "redis_password" not in values(folder)


def test_a_secret_of_the_environment_is_rotated_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("init")
    before = values(folder)
    monkeypatch.setenv("TALKBUTTON_SECRET_GRANT_KEY", "e" * 40)
    code, _, err = run("secrets", "rotate", "grant_key")
    assert (code, "TALKBUTTON_SECRET_GRANT_KEY" in err) == (ExitCode.SETTINGS, True)
    assert values(folder) == before
    rows = {
        row["name"]: row for row in json.loads(run("secrets", "status", "--json")[1])["secrets"]
    }
    assert rows["grant_key"]["from"] == "TALKBUTTON_SECRET_GRANT_KEY"
    assert rows["grant_key"]["age_s"] is None


def test_rendered_files_hold_secrets_only_when_that_is_said(folder: Path) -> None:
    run("init")
    assert run("config", "render", "--out", "shown")[0] == ExitCode.OK
    assert run("config", "render", "--out", "whole", "--with-secrets")[0] == ExitCode.OK

    def text(of: str) -> str:
        return "".join(path.read_text() for path in (folder / of).rglob("*") if path.is_file())

    assert "hidden-sip-password" in text("shown")
    assert not any(one in text("shown") for one in values(folder).values())
    assert values(folder)["sip_password"] in text("whole")


def test_a_call_is_ended_by_a_beginning_of_its_id(folder: Path) -> None:
    places = Places(folder / "talkbutton.toml")
    write_first_settings(places.settings)
    asyncio.run(write_call(places.journal, CALL))
    code, _, said = run("calls", "end", CALL[:12])
    assert code == ExitCode.STACK
    assert "no edge has run here yet; start it with `talkbutton up`" in said

    async def start_call() -> None:
        ledger = SqliteLedger(places.ledger)
        await ledger.open()
        lease = call_lease(CALL, until_unix=time.time() + 60)
        await ledger.take(CALL, [lease], now_unix=time.time())
        await ledger.close()

    async def revoked() -> tuple[float, float]:
        ledger = SqliteLedger(places.ledger)
        await ledger.open()
        keys = (revoked_key(CALL), call_lease(CALL, until_unix=0.0).key)
        weights = [await ledger.weigh(key, now_unix=time.time()) for key in keys]
        await ledger.close()
        return weights[0], weights[1]

    asyncio.run(start_call())
    assert run("calls", "end", CALL[:12])[:2] == (ExitCode.OK, "ended\n")
    assert asyncio.run(revoked()) == (1.0, 0.0)
    code, said, _ = run("calls", "end", CALL)
    assert (code, said) == (ExitCode.OK, "it was not going on; it cannot start any more\n")
    assert "grant.revoked" in run("calls", "show", CALL)[1]
    assert run("calls", "end", "ffff")[0] == ExitCode.FINDINGS


def test_a_ledger_in_memory_cannot_be_reached(folder: Path) -> None:
    places = Places(folder / "talkbutton.toml")
    places.settings.write_text('version = 1\n[limits]\nstore = "memory"\n')
    asyncio.run(write_call(places.journal, CALL))
    code, _, said = run("calls", "end", CALL)
    assert code == ExitCode.SETTINGS
    assert "use sqlite or redis" in said
