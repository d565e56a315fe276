"""Installing, with a stand-in for mmdebstrap: what is refused, resumed and skipped."""

import asyncio
import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from talkbutton.errors import StackError
from talkbutton.operate.stack import host
from talkbutton.operate.stack import install as installation
from talkbutton.operate.stack.install import install, installed
from talkbutton.operate.stack.places import DataPlaces
from talkbutton.operate.stack.progress import Progress

pytestmark = pytest.mark.cli

ROOTFS_PROGRAMS = ("asterisk -V", "janus --version", "turnserver --version")

STAND_IN = """#!/bin/sh
echo "$@" >> "$RECORD"
for word in "$@"; do case "$word" in *.partial|*.tar) root=$word;; esac; done
case "$FAIL" in
expired) case "$*" in *Valid-Until*) ;; *) echo "E: Release file is expired"; exit 25;; esac;;
network) echo "E: Failed to fetch http://h/x  Could not resolve 'h'"; exit 25;;
middle) mkdir -p "$root/var/cache/apt/archives"
    echo half > "$root/var/cache/apt/archives/janus_1.deb"; echo "E: stopped"; exit 1;;
esac
mkdir -p "$root/etc"
"""


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataPlaces:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "mmdebstrap").write_text(STAND_IN, encoding="utf-8")
    # In place of the programs that need rights: run what comes after the options.
    (tools / "unshare").write_text(
        '#!/bin/sh\\nwhile [ "${1#--}" != "$1" ]; do shift; done\\nexec "$@"\\n'.replace(
            "\\n", "\n"
        ),
        encoding="utf-8",
    )
    for tool in tools.iterdir():
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("RECORD", str(tmp_path / "record"))
    monkeypatch.setenv("FAIL", "")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(installation, "ensure_tools", lambda *_args, **_kwargs: None)
    monkeypatch.setattr(installation, "choose_suite", lambda: host.Suite("sid"))
    versions = {"asterisk": "22.10.1", "janus": "1.4.1", "coturn": "4.18.0"}
    monkeypatch.setattr(installation, "read_versions", lambda _rootfs: dict(versions))
    return DataPlaces(tmp_path / "data")


def run(data: DataPlaces) -> list[Progress]:
    seen: list[Progress] = []
    asyncio.run(install(data, seen.append))
    return seen


def calls(data: DataPlaces) -> list[str]:
    record = data.root.parent / "record"
    return record.read_text(encoding="utf-8").splitlines() if record.exists() else []


def test_it_is_there_whole_or_not_at_all_and_done_once(data: DataPlaces) -> None:
    assert installed(data) is None
    seen = run(data)
    assert seen[-1].fraction == 1.0
    found = installed(data)
    assert found is not None
    assert found.versions["janus"] == "1.4.1"
    assert (data.rootfs / "talkbutton").is_dir()
    assert not data.rootfs_partial.exists()
    assert not data.packages.exists()
    assert run(data) == []
    assert len(calls(data)) == 1


def test_only_an_expired_release_file_gives_up_the_check_and_says_so(
    data: DataPlaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIL", "expired")
    seen = run(data)
    assert [news for news in seen if news.is_notable and "expired" in news.step]
    assert ["Valid-Until" in call for call in calls(data)] == [False, True]


def test_no_network_says_what_to_do_and_is_not_tried_with_less_care(
    data: DataPlaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIL", "network")
    with pytest.raises(StackError, match="cannot be downloaded") as caught:
        run(data)
    assert "carries on" in caught.value.hint
    assert len(calls(data)) == 1


def test_an_interrupted_one_keeps_its_packages_for_the_next(
    data: DataPlaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIL", "middle")
    with pytest.raises(StackError):
        run(data)
    assert (data.packages / "janus_1.deb").read_text(encoding="utf-8") == "half\n"
    assert installed(data) is None
    monkeypatch.setenv("FAIL", "")
    run(data)
    assert installed(data) is not None


def test_two_at_once_are_refused(data: DataPlaces) -> None:
    data.telephony.mkdir(parents=True)
    with data.install_lock.open("w") as held:
        held.write("4711\n")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StackError, match=r"another installation is running \(process 4711\)"):
            run(data)
    run(data)


def test_a_full_disk_is_found_before_anything_is_downloaded(
    data: DataPlaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**12, 10**12, 10**9))
    with pytest.raises(StackError, match=r"has 1\.0 GB free, 2 GB are needed"):
        run(data)
    assert calls(data) == []


def test_a_stamp_of_another_form_counts_as_nothing(data: DataPlaces) -> None:
    run(data)
    stamp = data.rootfs / "etc/talkbutton.json"
    stamp.write_text(json.dumps({"form": 0, "suite": "sid", "versions": {}}), encoding="utf-8")
    assert installed(data) is None
    run(data)
    assert installed(data) is not None


def test_another_system_and_one_without_apt_are_told_what_to_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(StackError, match="darwin is not Linux; use Debian"):
        host.ensure_tools(host.Suite("sid"), is_root=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(StackError, match="has no apt-get"):
        host.ensure_tools(host.Suite("sid"), is_root=False)


def test_an_ordinary_user_is_told_which_packages_are_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = {"apt-get": "/usr/bin/apt-get"}
    monkeypatch.setattr(shutil, "which", found.get)
    with pytest.raises(StackError, match="run: sudo apt-get install bubblewrap mmdebstrap"):
        host.ensure_tools(host.Suite("sid"), is_root=False)
