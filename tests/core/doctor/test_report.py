import json

import pytest

from talkbutton.cli.doctor_command import exit_code
from talkbutton.cli.exit_codes import ExitCode
from talkbutton.operate.doctor import (
    Broken,
    Finding,
    Held,
    NotTried,
    Outcome,
    Probe,
    choose_probes,
    count,
    render_list,
    render_report,
    report_document,
)
from talkbutton.operate.doctor.probe import Area, judge

pytestmark = pytest.mark.core


async def nothing() -> Outcome:
    raise AssertionError


def probe(name: str, area: Area = "turn") -> Probe:
    return Probe(name, area, f"tries {name}", f"expects {name}", f"mend {name}", nothing)


FINDINGS = [
    Finding(probe("turn.a"), Held("403")),
    Finding(probe("turn.b"), Broken("given")),
    Finding(probe("janus.c", "janus"), NotTried("no answer")),
]


def test_the_report_says_what_was_tried_expected_and_found() -> None:
    assert render_report(FINDINGS, duration_s=2.4) == [
        "turn",
        "  held  turn.a",
        "      tried     tries turn.a",
        "      expected  expects turn.a",
        "      happened  403",
        "  BROKEN  turn.b",
        "      tried     tries turn.b",
        "      expected  expects turn.b",
        "      happened  given",
        "      mend      mend turn.b",
        "",
        "janus",
        "  NOT TRIED  janus.c",
        "      tried     tries janus.c",
        "      expected  expects janus.c",
        "      happened  not tried: no answer",
        "      mend      mend janus.c",
        "",
        "3 attacks in 2.4 s: 1 held, 1 broke through, 1 could not be tried",
        "broken: turn.b",
        "not tried: janus.c",
    ]


def test_the_document_says_the_same_to_programs() -> None:
    document = json.loads(json.dumps(report_document(FINDINGS, duration_s=2.4)))
    assert (document["held"], document["broken"], document["not_tried"]) == (1, 1, 1)
    assert document["duration_ms"] == 2400
    assert document["findings"][2] == {
        "name": "janus.c",
        "area": "janus",
        "outcome": "not_tried",
        "tried": "tries janus.c",
        "expected": "expects janus.c",
        "happened": "not tried: no answer",
        "mend": "mend janus.c",
    }


def test_the_list_says_what_would_be_tried() -> None:
    assert render_list([probe("turn.a"), probe("janus.c", "janus")]) == [
        "turn",
        "  turn.a",
        "      tries turn.a",
        "      expected: expects turn.a",
        "janus",
        "  janus.c",
        "      tries janus.c",
        "      expected: expects janus.c",
    ]


@pytest.mark.parametrize(
    ("chosen", "code"),
    [
        (FINDINGS[:1], ExitCode.OK),
        (FINDINGS[:2], ExitCode.FINDINGS),
        (FINDINGS, ExitCode.FINDINGS),
        ([FINDINGS[0], FINDINGS[2]], ExitCode.STACK),
    ],
)
def test_the_exit_code_is_0_only_if_all_was_tried_and_refused(
    chosen: list[Finding], code: ExitCode
) -> None:
    assert exit_code(chosen) is code


def test_attacks_are_counted() -> None:
    counts = count(FINDINGS)
    assert (counts.held, counts.broken, counts.not_tried) == (1, 1, 1)


def test_probes_are_chosen_by_area_and_by_name() -> None:
    probes = [probe("turn.a"), probe("turn.b"), probe("janus.c", "janus")]
    assert choose_probes(probes, []) == probes
    assert choose_probes(probes, ["turn"]) == probes[:2]
    assert choose_probes(probes, ["turn.b", "janus"]) == probes[1:]
    with pytest.raises(ValueError, match="coturn is no area and no probe; areas are turn, "):
        choose_probes(probes, ["turn", "coturn"])


def test_a_row_of_attempts_holds_only_if_there_were_some_and_none_got_through() -> None:
    assert judge("ok", [], tried=2) == Held("ok")
    assert judge("ok", ["a", "b"], tried=2) == Broken("a; b")
    assert isinstance(judge("ok", [], tried=0), NotTried)
    many = judge("ok", [str(n) for n in range(20)], tried=20)
    assert isinstance(many, Broken)
    assert many.evidence.endswith("7; and 12 more")
