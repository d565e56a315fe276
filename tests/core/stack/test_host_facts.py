import pytest

from talkbutton.operate.stack.host import FLOORS, parse_candidates, version_of

pytestmark = pytest.mark.core


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("Asterisk 22.10.1+dfsg+~cs6.17.60671434-1", (22, 10, 1)),
        ("1.4.1)", (1, 4, 1)),
        ("4.18.0", (4, 18, 0)),
        ("1:22.10.1~dfsg+~cs6-1", (22, 10, 1)),
        ("1.1.2-1", (1, 1, 2)),
        ("(none)", ()),
        ("", ()),
    ],
)
def test_versions_are_read_from_what_programs_and_apt_say(
    text: str, version: tuple[int, ...]
) -> None:
    assert version_of(text) == version


def test_candidates_are_read_by_package() -> None:
    policy = (
        "asterisk:\n  Installed: (none)\n  Candidate: 1:22.10.1~dfsg-1\n  Version table:\n"
        "coturn:\n  Installed: (none)\n  Candidate: 4.6.1-1\n  Version table:\n"
    )
    found = parse_candidates(policy)
    assert found == {"asterisk": "1:22.10.1~dfsg-1", "coturn": "4.6.1-1"}
    assert version_of(found["asterisk"]) >= FLOORS["asterisk"]
    assert version_of(found["coturn"]) < FLOORS["coturn"]
