import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.operate.stack.progress import AptProgress, blame

pytestmark = pytest.mark.core

RUN = """\
I: running apt-get update...
I: downloading packages with apt...
0 upgraded, 2 newly installed, 0 to remove and 0 not upgraded.
Get:1 http://host/debian sid/main amd64 libc6 amd64 2.43-7 [2 kB]
Get:2 http://host/debian sid/main amd64 bash amd64 5.3-4 [1 kB]
Unpacking libc6:amd64 (2.43-7) ...
Unpacking bash (5.3-4) ...
Setting up libc6:amd64 (2.43-7) ...
Setting up bash (5.3-4) ...
0 upgraded, 1 newly installed, 0 to remove and 0 not upgraded.
Unpacking janus (1.4.1-1) ...
Setting up janus (1.4.1-1) ...
I: cleaning package lists and apt cache...
"""


def test_progress_only_grows_and_names_packages() -> None:
    reader = AptProgress()
    found = [news for line in RUN.splitlines() if (news := reader.read(line))]
    fractions = [news.fraction for news in found]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(0.98)
    steps = [news.step for news in found]
    assert "downloading libc6" in steps
    assert "unpacking libc6" in steps
    assert "setting up janus" in steps


@given(st.lists(st.one_of(st.sampled_from(RUN.splitlines()), st.text())))
def test_any_output_gives_a_fraction_that_never_falls(lines: list[str]) -> None:
    reader, last = AptProgress(), 0.0
    for line in lines:
        if news := reader.read(line):
            assert last <= news.fraction <= 1.0
            last = news.fraction


@pytest.mark.parametrize(
    ("output", "problem", "hint"),
    [
        ("dpkg: error: No space left on device", "disk is full", "free 2 GB"),
        ("E: Failed to fetch http://h/x  Could not resolve 'h'", "cannot be downloaded", "network"),
        ("W: /etc/subuid is empty", "no subordinate user ids", "usermod"),
        ("unshare: unshare failed: Operation not permitted", "mount namespaces", "container"),
        ("one\ntwo\n", "one | two", "run it again"),
        ("", "it said nothing", "run it again"),
    ],
)
def test_a_failed_run_is_explained(output: str, problem: str, hint: str) -> None:
    told = blame(output)
    assert problem in told[0]
    assert hint in told[1]
