"""Runs probes: areas side by side, an area's probes one after the other, each with a deadline."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import groupby

from talkbutton.errors import TalkbuttonError
from talkbutton.operate.doctor.probe import AREAS, Finding, NotTried, Outcome, Probe

__all__ = ["PROBE_DEADLINE_S", "WHOLE_DEADLINE_S", "examine"]

PROBE_DEADLINE_S = 20.0
"""For one probe."""

WHOLE_DEADLINE_S = 55.0
"""For everything; what is not done by then is not tried."""


async def examine(
    probes: Sequence[Probe],
    on_finding: Callable[[Finding], None] = lambda _: None,
    *,
    probe_deadline_s: float = PROBE_DEADLINE_S,
) -> list[Finding]:
    """Run the probes and return what became of each, in the order of ``probes``.

    Args:
        probes: What to try.
        on_finding: Called with each finding as it comes.
        probe_deadline_s: How long one probe may take.
    """
    found: dict[str, Finding] = {}
    loop = asyncio.get_running_loop()
    whole_deadline = loop.time() + WHOLE_DEADLINE_S

    async def run_area(chosen: list[Probe]) -> None:
        for probe in chosen:
            deadline = min(loop.time() + probe_deadline_s, whole_deadline)
            finding = Finding(probe, await _outcome(probe, deadline))
            found[probe.name] = finding
            on_finding(finding)

    in_order = sorted(probes, key=lambda probe: AREAS.index(probe.area))
    async with asyncio.TaskGroup() as tasks:
        for _, chosen in groupby(in_order, key=lambda probe: probe.area):
            tasks.create_task(run_area(list(chosen)))
    return [found[probe.name] for probe in probes]


async def _outcome(probe: Probe, deadline: float) -> Outcome:
    try:
        async with asyncio.timeout_at(deadline):
            return await probe.run()
    except TimeoutError:
        return NotTried("there was no answer in time")
    except (OSError, EOFError) as exc:
        return NotTried(f"the connection failed: {str(exc) or type(exc).__name__}")
    except TalkbuttonError as exc:
        return NotTried(str(exc))
