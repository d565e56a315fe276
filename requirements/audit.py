"""``make audit``: asks the public vulnerability services about every pinned dependency.

What could not be looked up is counted as that. pip-audit itself ends with "no known
vulnerabilities" when a package index knows none of the packages that it was asked about.

Exit codes: 0 everything was looked up and is well; 1 something is known to be vulnerable; 2
something could not be looked up.
"""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parent.parent
_BUTTON = _ROOT / "web" / "button"
_DEADLINE_S = 300
_VULNERABLE, _NOT_LOOKED_UP = 1, 2


@dataclass(frozen=True, slots=True)
class Audit:
    """What a service said.

    Attributes:
        what: Which dependencies.
        looked_up: How many it knew; None where it does not say.
        unknown: How many it did not know, or why nothing could be asked.
        vulnerable: One line for each known vulnerability.
    """

    what: str
    looked_up: int | None
    unknown: int | str
    vulnerable: tuple[str, ...] = ()


def audit_python() -> Audit:
    """Ask about ``requirements/lock.txt``."""
    what = "Python packages"
    command = [sys.executable, "-m", "pip_audit", "--requirement", "requirements/lock.txt"]
    command += ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    answer, said = _run(command, _ROOT)
    if answer is None or "dependencies" not in answer:
        return Audit(what, None, said)
    rows = answer["dependencies"]
    known = [row for row in rows if "skip_reason" not in row]
    vulnerable = tuple(
        f"{row['name']} {row['version']}: {one['id']}, fixed in {', '.join(one['fix_versions'])}"
        for row in known
        for one in row["vulns"]
    )
    return Audit(what, len(known), len(rows) - len(known), vulnerable)


def audit_button() -> Audit:
    """Ask about ``web/button/package-lock.json``."""
    what = "npm packages"
    npm = shutil.which("npm")
    if npm is None:
        return Audit(what, None, "npm is not installed")
    answer, said = _run([npm, "audit", "--json"], _BUTTON)
    if answer is None or "vulnerabilities" not in answer:
        return Audit(what, None, (answer or {}).get("message") or said)
    counted = answer.get("metadata", {}).get("dependencies", {}).get("total")
    vulnerable = tuple(
        f"{name}: {row['severity']}" for name, row in answer["vulnerabilities"].items()
    )
    return Audit(what, counted, 0, vulnerable)


def _run(command: list[str], folder: Path) -> tuple[dict[str, Any] | None, str]:
    """Return the JSON that a command printed, or None, and its last word otherwise."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_DEADLINE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return None, f"no answer in {_DEADLINE_S} s"
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return None, (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    return found, ""


def main() -> int:
    """Ask, tell, and return the exit code."""
    audits = [audit_python(), audit_button()]
    for audit in audits:
        if audit.looked_up is None:
            print(f"{audit.what}: NOT AUDITED, the service cannot be asked: {audit.unknown}")
        else:
            print(f"{audit.what}: {audit.looked_up} looked up, {audit.unknown} NOT AUDITED")
        for line in audit.vulnerable:
            print(f"  VULNERABLE {line}")
    if any(audit.vulnerable for audit in audits):
        return _VULNERABLE
    if any(audit.looked_up is None or audit.unknown for audit in audits):
        print("Run `make audit` again from where the services can be reached.")
        return _NOT_LOOKED_UP
    return 0


if __name__ == "__main__":
    sys.exit(main())
