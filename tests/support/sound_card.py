"""A sound card that nobody hears: Firefox runs no audio clock on a machine without one."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["silent_sound_card"]

_READY_TIMEOUT_S = 10.0


@contextmanager
def silent_sound_card() -> Iterator[dict[str, str]]:
    """Run PulseAudio with a null sink; yields what a program's environment needs to find it."""
    program = shutil.which("pulseaudio")
    assert program is not None, "pulseaudio is not installed: run make test-programs"
    folder = Path(tempfile.mkdtemp(prefix="talkbutton-sound-"))
    socket_path = folder / "native"
    server = subprocess.Popen(
        [
            *(program, "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1"),
            "--disable-shm=yes",
            f"--load=module-native-protocol-unix auth-anonymous=1 socket={socket_path}",
            "--load=module-null-sink",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)},
    )
    try:
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while not socket_path.exists():
            assert server.poll() is None, "pulseaudio ended"
            assert time.monotonic() < deadline, "pulseaudio is not ready"
            time.sleep(0.02)
        yield {"PULSE_SERVER": f"unix:{socket_path}"}
    finally:
        server.terminate()
        server.wait(10)
        shutil.rmtree(folder, ignore_errors=True)
