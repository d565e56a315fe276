"""Attacks its own deployment, safely, and says which attacks succeed."""

from talkbutton.operate.doctor.catalogue import all_probes, choose_probes
from talkbutton.operate.doctor.examining import examine
from talkbutton.operate.doctor.probe import (
    AREAS,
    Area,
    Broken,
    Finding,
    Held,
    NotTried,
    Outcome,
    Probe,
)
from talkbutton.operate.doctor.record import record_run
from talkbutton.operate.doctor.report import (
    Counts,
    count,
    render_list,
    render_report,
    report_document,
)
from talkbutton.operate.doctor.target import Target, look_at

__all__ = [
    "AREAS",
    "Area",
    "Broken",
    "Counts",
    "Finding",
    "Held",
    "NotTried",
    "Outcome",
    "Probe",
    "Target",
    "all_probes",
    "choose_probes",
    "count",
    "examine",
    "look_at",
    "record_run",
    "render_list",
    "render_report",
    "report_document",
]
