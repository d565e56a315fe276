"""What all fuzz targets share: feed mutated inputs for some seconds, show the one that fails.

The targets feed themselves, so that they need nothing but the project: their mutations know the
protocol. A run says its seed and can be repeated with it.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["fuzz"]

_Fuzzed = TypeVar("_Fuzzed")


def fuzz(
    check_one_input: Callable[[_Fuzzed], None], mutate: Callable[[random.Random], _Fuzzed]
) -> None:
    """Run as the command line says.

    Args:
        check_one_input: Raises only if the project is wrong.
        mutate: Makes an input from a source of randomness.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("seconds", type=float, nargs="?", default=10.0)
    parser.add_argument("--seed", type=int, default=time.time_ns() & 0xFFFF_FFFF)
    chosen = parser.parse_args()
    source = random.Random(chosen.seed)  # noqa: S311 - repeatable, not secret
    ends_at = time.monotonic() + chosen.seconds
    runs = 0
    while time.monotonic() < ends_at:
        fuzzed = mutate(source)
        try:
            check_one_input(fuzzed)
        except BaseException:
            sys.stderr.write(f"seed {chosen.seed}, input {runs}: failed on {fuzzed!r}\n")
            raise
        runs += 1
    sys.stdout.write(f"{sys.argv[0]}: {runs} inputs, seed {chosen.seed}, none failed\n")
