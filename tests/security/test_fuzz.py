"""What strangers send, in large numbers: only documented answers and documented errors."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.edge_rig import ORIGIN
from support.flood import flooded_edge

pytestmark = [pytest.mark.security, pytest.mark.timeout(240)]

FUZZ = Path(__file__).parents[2] / "fuzz"
SECONDS = 20
TARGETS = ("sdp", "signaling", "forwarded", "stun")


def test_parsers_raise_only_what_they_document() -> None:
    """All targets at once, guided by coverage."""
    pytest.importorskip("atheris", reason="atheris is for CPython 3.11 to 3.13 on Linux")
    running = {
        target: subprocess.Popen(
            [sys.executable, FUZZ / "guided.py", target, str(SECONDS)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for target in TARGETS
    }
    said = {target: process.communicate(timeout=200)[0] for target, process in running.items()}
    for target, process in running.items():
        assert process.returncode == 0, said[target][-3_000:]
        runs = re.search(r"Done (\d+) runs", said[target])
        assert runs is not None
        assert int(runs[1]) > 1_000


def test_a_wrong_parser_is_found_out(tmp_path: Path) -> None:
    """The guard taken away: a parser that raises what it does not document ends the run."""
    pytest.importorskip("atheris", reason="atheris is for CPython 3.11 to 3.13 on Linux")
    (tmp_path / "fuzz_sdp.py").write_text(
        "from talkbutton.protocols.signaling import parse_candidate\n"
        "SEEDS = (b'candidate:1',)\n"
        "def check_one_input(fuzzed): parse_candidate(fuzzed.decode('latin-1'))\n"
    )
    guided = tmp_path / "guided.py"
    guided.write_text((FUZZ / "guided.py").read_text())
    done = subprocess.run(
        [sys.executable, guided, "sdp", "20"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "ProtocolError" in done.stdout + done.stderr


TOO_LONG_IS_A_REFUSAL_TOO = """\
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "409", "413", "415", "422", "429", "5xx"]
"""


def test_the_api_answers_as_its_description_says(tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(TOO_LONG_IS_A_REFUSAL_TOO)
    program = Path(sys.executable).with_name("schemathesis")
    with flooded_edge(tmp_path, limit=1_000_000) as (port, process):
        address = f"http://127.0.0.1:{port}"
        # The same questions every time: a check must not fail for a reason of yesterday's.
        options = ["--header", f"Origin: {ORIGIN}", "--max-examples", "150", "--no-color"]
        options += ["--seed", "20261124", "--generation-deterministic"]
        done = subprocess.run(
            [program, "run", f"{address}/openapi.json", *options],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-1_000:]
        assert process.is_running()
