"""Stops the ``up`` that runs in a folder."""

import fcntl
import os
import signal
import time

from talkbutton.errors import StackError
from talkbutton.operate.stack.places import Places

__all__ = ["stop_running"]

_DEADLINE_S = 20.0
_POLL_S = 0.1


def stop_running(places: Places) -> bool:
    """Tell it to stop and wait until it has; False if nothing runs.

    Raises:
        StackError: If it does not stop in time, or belongs to another user.
    """
    try:
        lock = places.up_lock.open("r+")
    except FileNotFoundError:
        return False
    except PermissionError as exc:
        raise StackError(
            "down", f"{places.own} belongs to another user", hint="run it as that user"
        ) from exc
    with lock:
        if _is_free(lock.fileno()):
            return False
        pid = int(lock.read().strip())
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _DEADLINE_S
        while not _is_free(lock.fileno()):
            if time.monotonic() > deadline:
                raise StackError(
                    "down",
                    f"process {pid} has not stopped after {_DEADLINE_S:.0f} s",
                    hint=f"look at {places.log}, then: kill -9 {pid}",
                )
            time.sleep(_POLL_S)
    return True


def _is_free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return True
