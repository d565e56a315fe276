"""A real Asterisk for live tests, with a small configuration of its own."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ARI_PASSWORD", "RunningAsterisk", "running_asterisk"]

ARI_PASSWORD = "live-test-password-0123456789abcdef"

_START_MAX_S = 20.0
_STOP_MAX_S = 10.0
_USER_ID, _GROUP_ID = 999, 995

_MODULES = """\
res_timing_timerfd res_sorcery_config res_sorcery_memory res_sorcery_astdb pbx_config
app_stasis app_verbose func_channel func_logic func_strings
bridge_simple bridge_native_rtp bridge_softmix bridge_holding
codec_ulaw codec_alaw codec_a_mu codec_resample codec_g722
res_http_websocket res_websocket_client
res_stasis res_stasis_answer res_stasis_playback res_stasis_recording res_stasis_snoop
res_stasis_device_state
res_ari res_ari_model res_ari_applications res_ari_asterisk res_ari_bridges res_ari_channels
res_ari_endpoints res_ari_events
res_pjproject res_rtp_asterisk res_rtp_multicast chan_rtp
"""

_FILES = {
    "asterisk.conf": """\
[directories]
astetcdir => /talkbutton
astmoddir => /usr/lib/x86_64-linux-gnu/asterisk/modules
astvarlibdir => /var/lib/asterisk
astdbdir => /talkbutton
astkeydir => /var/lib/asterisk
astdatadir => /usr/share/asterisk
astagidir => /usr/share/asterisk/agi-bin
astspooldir => /talkbutton/spool
astrundir => /talkbutton
astlogdir => /talkbutton
astsbindir => /usr/sbin
[options]
verbose = 3
documentation_language = en_US
""",
    "modules.conf": "[modules]\nautoload = no\n"
    + "".join(f"load = {module}.so\n" for module in _MODULES.split()),
    "logger.conf": "[general]\n[logfiles]\nconsole = error,warning,notice,verbose\n",
    "extensions.conf": """\
[general]
static = yes
writeprotect = yes
[talkbutton-in]
exten => 7000,1,Stasis(talkbutton,${TICKET},${EXTEN})
 same => n,Hangup(38)
""",
}


@dataclass(frozen=True, slots=True)
class RunningAsterisk:
    """One started Asterisk.

    Attributes:
        http_port: TCP port of ARI on 127.0.0.1.
        log_path: Its console output.
        pid: Of Asterisk itself, inside its sandbox.
    """

    http_port: int
    log_path: Path
    pid: int


@contextmanager
def running_asterisk(
    rootfs: Path, folder: Path, *, http_port: int, rtp_first: int, rtp_last: int
) -> Iterator[RunningAsterisk]:
    """Start Asterisk from ``rootfs`` with its files in ``folder``; ready when entered.

    Args:
        rootfs: Root of a file system that has Asterisk 22 and a folder ``/talkbutton``.
        folder: Empty folder for configuration and state.
        http_port: TCP port of ARI.
        rtp_first: First UDP port for RTP.
        rtp_last: Last UDP port for RTP.
    """
    _write_configuration(folder, http_port, rtp_first, rtp_last)
    log_path = folder / "console.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            _command(rootfs, folder), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        _wait_until_ready(process, log_path)
        yield RunningAsterisk(http_port, log_path, _asterisk_pid(process))
    finally:
        _stop(process)


def _write_configuration(folder: Path, http_port: int, rtp_first: int, rtp_last: int) -> None:
    files = _FILES | {
        "http.conf": "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n"
        f"bindport = {http_port}\nsessionlimit = 100\n",
        "ari.conf": "[general]\nenabled = yes\n"
        "channelvars = UNICASTRTP_LOCAL_ADDRESS,UNICASTRTP_LOCAL_PORT\n"
        f"[bridge]\ntype = user\npassword = {ARI_PASSWORD}\npassword_format = plain\n",
        "rtp.conf": f"[general]\nrtpstart = {rtp_first}\nrtpend = {rtp_last}\nstrictrtp = yes\n",
    }
    (folder / "spool").mkdir()
    for name, content in files.items():
        (folder / name).write_text(content)
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, _USER_ID, _GROUP_ID)


def _command(rootfs: Path, folder: Path) -> list[str]:
    sandbox = ["bwrap", "--ro-bind", str(rootfs), "/", "--proc", "/proc", "--dev", "/dev"]
    sandbox += ["--tmpfs", "/tmp", "--tmpfs", "/run", "--bind", str(folder), "/talkbutton"]  # noqa: S108
    sandbox += ["--die-with-parent", "--"]
    if os.geteuid() == 0:
        sandbox += ["setpriv", "--reuid", str(_USER_ID), "--regid", str(_GROUP_ID)]
        sandbox += ["--clear-groups", "--pdeathsig", "KILL"]  # changing the user clears it
    return [*sandbox, "/usr/sbin/asterisk", "-f", "-C", "/talkbutton/asterisk.conf"]


def _wait_until_ready(process: "subprocess.Popen[bytes]", log_path: Path) -> None:
    give_up_at = time.monotonic() + _START_MAX_S
    while "Asterisk Ready" not in (console := log_path.read_text(errors="replace")):
        assert process.poll() is None, f"Asterisk ended: {console[-2000:]}"
        assert time.monotonic() < give_up_at, f"Asterisk is not ready: {console[-2000:]}"
        time.sleep(0.05)


def _asterisk_pid(sandbox: "subprocess.Popen[bytes]") -> int:
    """Return the pid of the sandbox's child: the sandbox does not pass signals on."""
    children = Path(f"/proc/{sandbox.pid}/task/{sandbox.pid}/children").read_text().split()
    return int(children[0]) if children else sandbox.pid


def _stop(sandbox: "subprocess.Popen[bytes]") -> None:
    """End Asterisk, then its sandbox, which ends with it."""
    if sandbox.poll() is not None:
        return
    pid = _asterisk_pid(sandbox)
    for how in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, how)
        with suppress(subprocess.TimeoutExpired):
            sandbox.wait(_STOP_MAX_S)
            return
    sandbox.kill()
    sandbox.wait()
