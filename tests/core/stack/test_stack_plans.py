"""What is planned for the parts: who starts when, who sees what."""

import configparser
from pathlib import Path

import pytest

from talkbutton.errors import SettingsError, StackError
from talkbutton.operate.stack.host import Suite
from talkbutton.operate.stack.layout import daemon_sandbox, python_command, python_sandbox
from talkbutton.operate.stack.parts import PART_BY_NAME, PARTS, parts_for
from talkbutton.operate.stack.places import Places, data_places
from talkbutton.operate.stack.ports import listeners
from talkbutton.operate.stack.prepare import settings_in_force
from talkbutton.operate.stack.rootfs import mmdebstrap_argv
from talkbutton.operate.stack.sandbox import Identity, Sandbox
from talkbutton.operate.stack.supervise import render_supervisord
from talkbutton.rules.render import Places as RenderPlaces
from talkbutton.settings.model import BotSettings, NetworkSettings, Settings

pytestmark = pytest.mark.core

ROOT = Identity(995, 994, from_root=True)
USER = Identity(1000, 1000, from_root=False)
PLACES = Places(Path("/srv/shop/talkbutton.toml"))
KNOWLEDGE = PLACES.folder / "knowledge"


def sandbox_of(part: str, identity: Identity = ROOT) -> Sandbox:
    return python_sandbox(PART_BY_NAME[part], PLACES, identity, KNOWLEDGE)


def visible(sandbox: Sandbox) -> set[Path]:
    return {mount.source for mount in sandbox.mounts}


def writable(sandbox: Sandbox) -> set[Path]:
    return {mount.source for mount in sandbox.mounts if mount.is_writable}


def test_media_parts_come_first_on_the_cpu_and_only_root_can_promise_it() -> None:
    rendered = RenderPlaces("192.0.2.1")
    janus = daemon_sandbox(PART_BY_NAME["janus"], PLACES, Path("/r"), ROOT, rendered)
    assert janus.nice < 0
    assert sandbox_of("bridge").nice < 0
    assert sandbox_of("bridge", USER).nice == 0
    assert all(sandbox_of(part.name, USER).nice > 0 for part in PARTS if part.kind == "speech")


@pytest.mark.parametrize("part", [part.name for part in PARTS if part.kind == "program"])
def test_a_program_sees_no_secrets_but_its_own(part: str) -> None:
    seen = visible(sandbox_of(part))
    assert PLACES.part_given(part) in seen
    for other in ("edge", "keeper", "bridge"):
        if other != part:
            assert not any(PLACES.part_secrets(other).is_relative_to(path) for path in seen)
    whole = PLACES.folder / "talkbutton.secrets.toml"
    assert not any(whole.is_relative_to(path) for path in seen)


@pytest.mark.parametrize("part", [part.name for part in PARTS if part.kind == "speech"])
def test_a_speech_worker_has_neither_network_nor_secrets_nor_journal(part: str) -> None:
    sandbox = sandbox_of(part)
    assert not sandbox.has_network
    held = [PLACES.part_secrets(program) for program in ("edge", "keeper", "bridge")]
    assert not any(file.is_relative_to(path) for file in held for path in visible(sandbox))
    assert writable(sandbox) == {PLACES.speech, PLACES.state / "cache"}
    assert "--secrets" not in python_command(PART_BY_NAME[part], PLACES)


def test_the_follower_has_neither_network_nor_secrets_and_reads_one_log() -> None:
    sandbox = sandbox_of("turnlog")
    assert not sandbox.has_network
    assert not any(path.name == "secrets.toml" for path in visible(sandbox))
    logs = {path for path in visible(sandbox) if path.is_relative_to(PLACES.log)}
    assert logs == {PLACES.log / "coturn"}
    assert writable(sandbox) == {PLACES.state}
    assert PLACES.bus in {Path(path) for path in sandbox.empty}
    command = python_command(PART_BY_NAME["turnlog"], PLACES)
    assert "--secrets" not in command
    assert command[command.index("--log") + 1] == str(PLACES.part_log("coturn"))


def test_only_the_bridge_sees_the_knowledge_and_the_speech_sockets(tmp_path: Path) -> None:
    def seen(part: str) -> set[Path]:
        return visible(python_sandbox(PART_BY_NAME[part], PLACES, ROOT, tmp_path))

    assert tmp_path in seen("bridge")
    for part in ("edge", "keeper"):
        assert tmp_path not in seen(part)
        assert str(PLACES.speech) in {str(path) for path in sandbox_of(part).empty}


@pytest.mark.parametrize("named", [".", "/", "knowledge/..", "/srv"])
def test_knowledge_around_the_secrets_is_refused(named: str) -> None:
    settings = Settings(
        version=1,
        network=NetworkSettings(media_address="192.0.2.1"),
        bot=BotSettings(knowledge_dir=named),
    )
    with pytest.raises(SettingsError, match=r"bot\.knowledge_dir"):
        settings_in_force(settings, PLACES.folder)


def test_a_daemon_sees_its_own_configuration_only() -> None:
    rendered = RenderPlaces("192.0.2.1")
    janus = daemon_sandbox(PART_BY_NAME["janus"], PLACES, Path("/r"), ROOT, rendered)
    assert visible(janus) == {PLACES.config("janus"), PLACES.spool("janus")}
    assert writable(janus) == {PLACES.spool("janus")}


def test_supervisord_stops_programs_before_what_they_use() -> None:
    config = configparser.ConfigParser(interpolation=None)
    config.read_string(render_supervisord(PARTS))
    programs, others = config["group:programs"], config["group:others"]
    assert int(programs["priority"]) > int(others["priority"])
    members = {*programs["programs"].split(","), *others["programs"].split(",")}
    assert members == {part.name for part in PARTS}
    for part in PARTS:
        section = config[f"program:{part.name}"]
        assert section["stopasgroup"] == section["killasgroup"] == "true"
        assert section["autorestart"] == "true"
    longest_s = sum(
        max(int(config[f"program:{name}"]["stopwaitsecs"]) for name in group.split(","))
        for group in (programs["programs"], others["programs"])
    )
    assert longest_s < 15


def test_only_the_bot_in_the_box_needs_speech_workers() -> None:
    echo = Settings(version=1, bot=BotSettings(kind="echo"))
    assert {part.kind for part in parts_for(echo)} == {"daemon", "program", "follower"}
    assert parts_for(Settings(version=1)) == PARTS


def test_every_fixed_port_is_checked_where_it_will_be_opened() -> None:
    settings = Settings(version=1, network=NetworkSettings(media_address="192.0.2.1"))
    found = {(one.part, one.protocol, one.port): one.address for one in listeners(settings)}
    assert found == {
        ("edge", "tcp", 8080): "127.0.0.1",
        ("coturn", "udp", 3478): "127.0.0.1",
        ("coturn", "tcp", 3478): "127.0.0.1",
        ("janus", "tcp", 8188): "127.0.0.1",
        ("asterisk", "udp", 5060): "127.0.0.1",
        ("asterisk", "tcp", 8088): "127.0.0.1",
    }


def test_a_folder_too_deep_for_sockets_is_refused() -> None:
    PLACES.check()
    with pytest.raises(StackError, match="too long for sockets"):
        Places(Path("/" + "d" * 100 + "/talkbutton.toml")).check()


def test_programs_are_kept_where_the_user_may_write() -> None:
    home = Path("/home/ann")
    assert str(data_places({}, is_root=True, home=home).root) == "/var/lib/talkbutton"
    assert (
        str(data_places({}, is_root=False, home=home).root) == "/home/ann/.local/share/talkbutton"
    )
    named = data_places({"TALKBUTTON_DATA_DIR": "/data/t"}, is_root=True, home=home)
    assert named.rootfs == Path("/data/t/telephony/rootfs")


def test_the_expiry_check_is_given_up_only_when_told_to() -> None:
    data = data_places({}, is_root=True, home=Path("/"))

    def argv(*, ignore_expiry: bool, is_root: bool = True) -> list[str]:
        return mmdebstrap_argv(
            data, Suite("sid"), None, is_root=is_root, ignore_expiry=ignore_expiry
        )

    assert not any("Valid-Until" in word for word in argv(ignore_expiry=False))
    assert any("Valid-Until" in word for word in argv(ignore_expiry=True))
    assert "--mode=unshare" in argv(ignore_expiry=False, is_root=False)
    assert argv(ignore_expiry=False)[-2:] == ["sid", str(data.rootfs_partial)]
