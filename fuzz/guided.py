"""Runs a target guided by coverage, where atheris is installed (Linux, CPython 3.11 to 3.13).

    python fuzz/guided.py sdp 60        fuzz_sdp for 60 s

It keeps inputs that reach new lines and changes those, so that it finds ways into a parser which
the target's own mutations do not know. The targets for what strangers send take bytes for this.
"""

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

import atheris

_INPUT_MAX_BYTES = 8_192
_PARSERS = ["talkbutton.protocols", "talkbutton.rules.admission", "talkbutton.settings.origins"]


def main() -> None:
    """Run as the command line says; the process ends with 0, or with the input that failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target", choices=("sdp", "signaling", "forwarded", "stun"))
    parser.add_argument("seconds", type=int)
    chosen = parser.parse_args()
    with atheris.instrument_imports(include=_PARSERS):
        target = importlib.import_module(f"fuzz_{chosen.target}")
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(target.SEEDS):
            (Path(corpus) / str(number)).write_bytes(seed)
        options = [f"-max_total_time={chosen.seconds}", f"-max_len={_INPUT_MAX_BYTES}"]
        options += ["-print_final_stats=1", "-verbosity=1", f"-artifact_prefix={corpus}/"]
        atheris.Setup([sys.argv[0], *options, corpus], target.check_one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
