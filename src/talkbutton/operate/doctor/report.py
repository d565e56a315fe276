"""Says what was found: for people, for programs, for the journal. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from talkbutton.operate.doctor.probe import Broken, Finding, Held, NotTried, Outcome, Probe

__all__ = ["Counts", "count", "render_list", "render_report", "report_document"]

_WORDS: Mapping[type[Outcome], Literal["held", "broken", "not tried"]] = {
    Held: "held",
    Broken: "broken",
    NotTried: "not tried",
}


@dataclass(frozen=True, slots=True)
class Counts:
    """How many attacks ended how."""

    held: int
    broken: int
    not_tried: int


def count(findings: Sequence[Finding]) -> Counts:
    """Return how many attacks ended how."""
    words = [_WORDS[type(finding.outcome)] for finding in findings]
    return Counts(words.count("held"), words.count("broken"), words.count("not tried"))


def render_report(findings: Sequence[Finding], *, duration_s: float) -> list[str]:
    """Return the report as lines; what needs a person comes again at the end."""
    lines = []
    for area, of_area in groupby(findings, key=lambda finding: finding.probe.area):
        lines += [area]
        for finding in of_area:
            lines += _render_finding(finding)
        lines += [""]
    counts = count(findings)
    lines.append(
        f"{len(findings)} attacks in {duration_s:.1f} s: {counts.held} held, "
        f"{counts.broken} broke through, {counts.not_tried} could not be tried"
    )
    for word in ("broken", "not tried"):
        named = [one.probe.name for one in findings if _WORDS[type(one.outcome)] == word]
        lines += [f"{word}: {', '.join(named)}"] if named else []
    return lines


def _render_finding(finding: Finding) -> list[str]:
    probe, outcome = finding.probe, finding.outcome
    word = _WORDS[type(outcome)]
    lines = [
        f"  {word.upper() if word != 'held' else word}  {probe.name}",
        f"      tried     {probe.tries}",
        f"      expected  {probe.expects}",
        f"      happened  {_happened(outcome)}",
    ]
    return lines if word == "held" else [*lines, f"      mend      {probe.mend}"]


def render_list(probes: Sequence[Probe]) -> list[str]:
    """Return what would be tried, as lines."""
    lines = []
    for area, of_area in groupby(probes, key=lambda probe: probe.area):
        lines += [area]
        for probe in of_area:
            lines += [f"  {probe.name}", f"      {probe.tries}", f"      expected: {probe.expects}"]
    return lines


def report_document(findings: Sequence[Finding], *, duration_s: float) -> dict[str, object]:
    """Return the report for programs."""
    counts = count(findings)
    return {
        "held": counts.held,
        "broken": counts.broken,
        "not_tried": counts.not_tried,
        "duration_ms": round(duration_s * 1000),
        "findings": [
            {
                "name": finding.probe.name,
                "area": finding.probe.area,
                "outcome": _WORDS[type(finding.outcome)].replace(" ", "_"),
                "tried": finding.probe.tries,
                "expected": finding.probe.expects,
                "happened": _happened(finding.outcome),
                "mend": finding.probe.mend,
            }
            for finding in findings
        ],
    }


def _happened(outcome: Outcome) -> str:
    match outcome:
        case Held(evidence) | Broken(evidence):
            return evidence
        case NotTried(why):
            return f"not tried: {why}"
