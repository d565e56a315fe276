"""The list of security cases names every test of the four files, and no other."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.core

ROOT = Path(__file__).parents[3]
FILES = ("test_turn.py", "test_janus.py", "test_asterisk.py", "test_bridge_media.py")


def test_every_security_test_is_listed_and_exists() -> None:
    sources = "".join((ROOT / "tests" / "security" / name).read_text() for name in FILES)
    text = (ROOT / "docs" / "reference" / "security-cases.md").read_text()
    listed = text.split("## Elsewhere", maxsplit=1)[0]
    written = set(re.findall(r"^(?:async )?def (test_\w+)", sources, re.MULTILINE))
    assert set(re.findall(r"`(test_\w+)`", listed)) == written


def test_what_is_listed_elsewhere_exists() -> None:
    text = (ROOT / "docs" / "reference" / "security-cases.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text.split("## Elsewhere")[1])
    assert named
    for path, test in named:
        assert test in (ROOT / path).read_text(), (path, test)
