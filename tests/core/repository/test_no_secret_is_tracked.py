"""No file of the project holds a secret: keys, tokens of services, or one of our own making.

`make check` runs this. A line that only looks like one ends with the comment that
detect-secrets knows: ``pragma: allowlist secret``.
"""

import base64
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import transient_settings

from talkbutton.settings.secrets_file import new_secret

pytestmark = pytest.mark.core

ROOT = Path(__file__).parents[3]
GUESSES = {
    "Base64HighEntropyString",
    "HexHighEntropyString",
    "IPPublicDetector",
    "KeywordDetector",
    "TelegramBotTokenDetector",
}
"""Detectors that cry at hashes, example addresses, the word password and digits before a colon."""

ALLOWED = "pragma: allowlist secret"
OUR_FORM = re.compile(r"(?<![0-9a-f])[0-9a-f]{48}(?![0-9a-f])")
"""What ``new_secret`` returns; hashes in lock files are longer."""

BINARY = {".png", ".wav", ".svg", ".sqlite"}
MADE = {".venv", "node_modules", "dist", "__pycache__", ".mypy_cache", ".ruff_cache", ".hypothesis"}
NEVER_TRACKED = ("*.secrets.toml", "*.pem", "*.key", ".env")


def project_files() -> list[Path]:
    """Return what git tracks or would; outside a checkout, what is not made by `make`."""
    git = shutil.which("git")
    if git is not None and (ROOT / ".git").exists():
        command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if MADE.isdisjoint(path.parts)]
    return [path for path in paths if path.is_file() and path.suffix not in BINARY]


def secrets_in(paths: list[Path]) -> Iterator[str]:
    """Yield what was found, never the value."""
    known: Mapping[str, type[object]] = get_mapping_from_secret_type_to_class()
    detectors = {one.__name__ for one in known.values()}
    allow = "detect_secrets.filters.allowlist.is_line_allowlisted"
    chosen = {
        "plugins_used": [{"name": name} for name in sorted(detectors - GUESSES)],
        "filters_used": [{"path": allow}],
    }
    with transient_settings(chosen):
        found = SecretsCollection()
        for path in paths:
            found.scan_file(str(path))
    for name, secret in found:
        yield f"{name}:{secret.line_number} {secret.type}"
    for path in paths:
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            if OUR_FORM.search(line) and ALLOWED not in line:
                yield f"{path}:{number} a secret as talkbutton makes them"


def test_no_file_holds_a_secret() -> None:
    assert list(secrets_in(project_files())) == []


def test_no_file_is_one_of_secrets() -> None:
    named = [path for path in project_files() for form in NEVER_TRACKED if path.match(form)]
    assert named == []


@pytest.mark.parametrize(
    "line",
    [
        "-----BEGIN " + "PRIVATE KEY-----",
        "-----BEGIN EC " + "PRIVATE KEY-----",
        f'grant_key = "{new_secret()}"',
        "token = 'ghp_" + "a1B2" * 9 + "'",
        "key = 'AKIA" + "IOSFODNN7ABCDEFG'",
        ".".join(base64.urlsafe_b64encode(one).decode().rstrip("=") for one in (
            b'{"alg":"HS256","typ":"JWT"}', b'{"call":"0193"}', b"0123456789abcdef0123456789abcdef"
        )),
        "url = 'https://user:" + "hunter22@example.com'",
    ],
    ids=["key", "ec key", "our own", "github", "aws", "jwt", "url"],
)  # fmt: skip
def test_a_secret_would_be_found(tmp_path: Path, line: str) -> None:
    path = tmp_path / "careless.py"
    path.write_text(f"# a file\n{line}\n")
    [found, *_] = secrets_in([path])
    assert f"{path}:2" in found
    path.write_text(f"# a file\n{line}  # {ALLOWED}\n")
    assert list(secrets_in([path])) == []
