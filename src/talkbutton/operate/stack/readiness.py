"""Waits until parts are truly ready, and says what a part said when it is not."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from talkbutton.errors import StackError
from talkbutton.operate.stack.parts import Part
from talkbutton.operate.stack.places import Places
from talkbutton.operate.stack.probes import Probe
from talkbutton.operate.stack.supervise import PartProcess, Supervisor

__all__ = ["ask", "last_lines", "wait_ready"]

_PROBE_TIMEOUT_S = 2.0
_PAUSE_S = 0.1
_ENDS_MAX = 2
_LAST_LINES = 8
_LINE_MAX_CHARS = 300
_TAIL_BYTES = 16_384


async def ask(probe: Probe) -> str | None:
    """Return None if the part is ready now, else why it is not; never raises, waits 2 s at most."""
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_S):
            return await probe()
    except TimeoutError:
        return "it does not answer"
    except (OSError, EOFError) as exc:
        return f"it cannot be reached ({type(exc).__name__})"


async def wait_ready(
    part: Part,
    probe: Probe,
    supervisor: Supervisor,
    places: Places,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Wait until a part that was started is ready.

    Raises:
        StackError: If it gives up or is not ready in time; the error shows its last log lines.
        ConnectionLost: If supervisord does not answer.
    """
    deadline = clock() + part.ready_timeout_s
    seen: set[int] = set()
    while (lacking := await ask(probe)) is not None:
        process = (await supervisor.processes()).get(part.name)
        if process is not None and process.state == "FATAL":
            raise _failure(part, places, f"cannot be started ({_ending(process)})")
        if process is not None and process.pid is not None:
            seen.add(process.pid)
        if len(seen) > _ENDS_MAX and process is not None:
            raise _failure(part, places, f"ended {_ENDS_MAX} times ({_ending(process)})")
        if clock() > deadline:
            state = f"; it ended {_ending(process)}" if process and not process.pid else ""
            raise _failure(
                part, places, f"is not ready after {part.ready_timeout_s:.0f} s: {lacking}{state}"
            )
        await asyncio.sleep(_PAUSE_S)


def last_lines(path: Path, count: int = _LAST_LINES) -> list[str]:
    """Return the last lines of a log, shortened; empty where there is no log."""
    try:
        with path.open("rb") as log:
            log.seek(max(path.stat().st_size - _TAIL_BYTES, 0))
            lines = deque(log.read().decode(errors="replace").splitlines(), maxlen=count)
    except OSError:
        return []
    return [line[:_LINE_MAX_CHARS] for line in lines]


def _ending(process: PartProcess) -> str:
    return process.problem or f"with status {process.exit_status}"


def _failure(part: Part, places: Places, problem: str) -> StackError:
    log = places.part_log(part.name)
    error = StackError(part.name, problem, hint=f"its log is {log}")
    for line in last_lines(log) or ["(it wrote nothing)"]:
        error.add_note(f"  {part.name} | {line}")
    return error
