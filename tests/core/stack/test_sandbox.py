from pathlib import Path, PurePosixPath

import pytest

from talkbutton.operate.stack.sandbox import Identity, Mount, Sandbox, sandbox_argv

pytestmark = pytest.mark.core

STEPPING_DOWN = Identity(995, 994, from_root=True)
ORDINARY = Identity(1000, 1000, from_root=False)


def joined(sandbox: Sandbox, *command: str) -> str:
    return " ".join(sandbox_argv(sandbox, command or ("true",)))


def test_the_command_comes_last_with_its_signals_restored() -> None:
    argv = sandbox_argv(Sandbox(ORDINARY), ["janus", "--version"])
    assert argv[:3] == ["env", "--ignore-signal=TERM,USR2", "bwrap"]
    assert argv[-5:] == ["--", "env", "--default-signal", "janus", "--version"]


def test_root_steps_down_for_good_and_an_ordinary_user_need_not() -> None:
    stepped = joined(Sandbox(STEPPING_DOWN))
    assert (
        "-- setpriv --reuid 995 --regid 994 --clear-groups --no-new-privs "
        "--bounding-set=-all --inh-caps=-all env" in stepped
    )
    assert "setpriv" not in joined(Sandbox(ORDINARY))


def test_who_binds_a_low_port_may_do_that_of_all_root_may() -> None:
    kept = "-all,+net_bind_service"
    stepped = joined(Sandbox(STEPPING_DOWN, binds_low_ports=True))
    assert f"--bounding-set={kept} --inh-caps={kept} --ambient-caps={kept} env" in stepped
    assert "caps" not in joined(Sandbox(ORDINARY, binds_low_ports=True))


def test_every_sandbox_dies_with_its_parent_and_sees_only_its_own_processes() -> None:
    for sandbox in (Sandbox(ORDINARY), Sandbox(STEPPING_DOWN, rootfs=Path("/r"))):
        argv = sandbox_argv(sandbox, ["true"])
        assert {"--die-with-parent", "--unshare-pid", "--unshare-ipc", "--clearenv"} <= set(argv)
        assert "--new-session" not in argv


def test_only_a_part_without_network_gets_an_empty_one() -> None:
    assert "--unshare-net" in joined(Sandbox(ORDINARY, has_network=False))
    assert "--unshare-net" not in joined(Sandbox(ORDINARY))


def test_niceness_is_set_before_privileges_go() -> None:
    assert joined(Sandbox(STEPPING_DOWN, nice=-5)).startswith("nice -n -5 env")
    assert "nice" not in joined(Sandbox(STEPPING_DOWN))


def test_parents_of_a_target_are_open_to_others_and_made_once() -> None:
    mounts = (
        Mount(Path("/root/a/b"), PurePosixPath("/root/a/b")),
        Mount(Path("/root/a/c"), PurePosixPath("/root/a/c"), is_writable=True),
    )
    words = joined(Sandbox(ORDINARY, mounts=mounts))
    assert (
        "--perms 0755 --dir /root --perms 0755 --dir /root/a --ro-bind /root/a/b /root/a/b "
        "--bind /root/a/c /root/a/c" in words
    )


def test_a_root_file_system_is_read_only_and_takes_mounts_in_its_own_folder() -> None:
    sandbox = Sandbox(
        ORDINARY,
        rootfs=Path("/data/rootfs"),
        mounts=(Mount(Path("/etc/x"), PurePosixPath("/talkbutton/config")),),
        empty=(PurePosixPath("/talkbutton/run"),),
    )
    words = joined(sandbox)
    assert words.index("--ro-bind /data/rootfs /") < words.index("--tmpfs /talkbutton")
    assert words.index("--tmpfs /talkbutton") < words.index("--ro-bind /etc/x /talkbutton/config")
    assert "--perms 1777 --tmpfs /talkbutton/run" in words
    assert "--dir /talkbutton" not in words


def test_environment_and_links_are_what_was_asked_for() -> None:
    sandbox = Sandbox(ORDINARY, environment={"LANG": "C"}, links={PurePosixPath("/bin"): "usr/bin"})
    words = joined(sandbox)
    assert "--symlink usr/bin /bin" in words
    assert "--clearenv --setenv LANG C --" in words
