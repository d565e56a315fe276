"""The reference lists the events that the programs write: all of them, and no others."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.core

ROOT = Path(__file__).parents[3]
WRITTEN = re.compile(
    r"(?:Record|Report|append|report|record)\(\s*(?:[\w.]+,\s*)*\"([a-z_]+\.[a-z_]+)\""
)
QUOTED = re.compile(r"\"([a-z_]+\.[a-z_]+)\"")
LISTED = re.compile(r"^\| `([a-z_]+\.[a-z_]+)` ", re.MULTILINE)


def found_in_sources(pattern: re.Pattern[str]) -> set[str]:
    sources = (ROOT / "src").rglob("*.py")
    return {name for source in sources for name in pattern.findall(source.read_text())}


@pytest.fixture
def listed() -> set[str]:
    return set(LISTED.findall((ROOT / "docs/reference/events.md").read_text()))


def test_every_event_is_in_the_reference(listed: set[str]) -> None:
    written = found_in_sources(WRITTEN)
    assert len(written) > 20
    assert written - listed == set()


def test_every_line_of_the_reference_is_an_event(listed: set[str]) -> None:
    assert listed - found_in_sources(QUOTED) == set()
