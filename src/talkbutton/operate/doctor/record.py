"""Records a run in the journal, under an id of its own that no call has."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from talkbutton.events import Scalar
from talkbutton.ids import CALL_ID_RANDOM_BYTES, make_call_id
from talkbutton.operate.doctor.probe import Broken, Finding, NotTried
from talkbutton.operate.doctor.report import count
from talkbutton.runtime.journal import Journal

__all__ = ["PROGRAM", "record_run"]

PROGRAM = "doctor"
"""How the journal names who wrote a run's events."""


async def record_run(journal_path: Path, findings: Sequence[Finding], *, duration_s: float) -> str:
    """Write ``doctor.finished``, and one ``doctor.found`` for each attack that broke through.

    Args:
        journal_path: The journal's file; its folder must be there.
        findings: What became of the attacks.
        duration_s: How long it took.

    Returns:
        The run's id, for `talkbutton calls show`.

    Raises:
        StackError: If the journal cannot be used.
    """
    run_id = make_call_id(
        now_unix_ms=int(time.time() * 1000), random_bytes=os.urandom(CALL_ID_RANDOM_BYTES)
    )
    journal = Journal(journal_path, program=PROGRAM)
    await journal.open()
    counts = count(findings)
    for finding in findings:
        if isinstance(finding.outcome, Broken):
            found: dict[str, Scalar] = {"happened": finding.outcome.evidence}
            journal.append(run_id, "doctor.found", "operator", probe=finding.probe.name, **found)
    not_tried = [f.probe.name for f in findings if isinstance(f.outcome, NotTried)]
    journal.append(
        run_id,
        "doctor.finished",
        "operator",
        held=counts.held,
        broken=counts.broken,
        not_tried=counts.not_tried,
        not_tried_names=" ".join(not_tried) or None,
        duration_ms=round(duration_s * 1000),
    )
    await journal.close()
    return run_id
