"""New values sign, old ones stay beside them, and nothing else changes."""

import pytest

from talkbutton.errors import SettingsError
from talkbutton.settings.rotation import ROTATABLE, drop_previous, rotate
from talkbutton.settings.secrets import Secrets, parts_that_know
from talkbutton.settings.secrets_file import SecretsFile

pytestmark = pytest.mark.core

BEFORE = SecretsFile(
    {name: f"old-{name}" for name in ROTATABLE} | {"redis_password": "theirs"},
    {"grant_key": 1_000, "ari_password": 1_000},
)


def test_a_rotated_key_keeps_the_one_before_beside_it() -> None:
    after = rotate(BEFORE, {"grant_key": "new"}, now_unix=2_000)
    changed = {"grant_key": "new", "grant_key_previous": "old-grant_key"}
    assert after.values == BEFORE.values | changed
    assert after.made_unix == BEFORE.made_unix | {"grant_key": 2_000, "grant_key_previous": 1_000}


def test_a_second_rotation_forgets_the_first() -> None:
    once = rotate(BEFORE, {"grant_key": "new"}, now_unix=2_000)
    twice = rotate(once, {"grant_key": "newer"}, now_unix=3_000)
    assert twice.values["grant_key_previous"] == "new"
    assert "old-grant_key" not in twice.values.values()


def test_a_password_has_no_second_place() -> None:
    after = rotate(BEFORE, {"ari_password": "new"}, now_unix=2_000)
    assert after.values == BEFORE.values | {"ari_password": "new"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("grant_kee", "is no secret"),
        ("grant_key_previous", "is an old value already"),
        ("redis_password", "is given by somebody else"),
        ("challenge_provider_secret", "is given by somebody else"),
    ],
)
def test_what_is_not_ours_to_make_is_refused(name: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        rotate(BEFORE, {name: "new"}, now_unix=2_000)


def test_a_secret_that_the_file_lacks_is_refused() -> None:
    with pytest.raises(SettingsError, match="is not in the secrets file"):
        rotate(SecretsFile(), {"grant_key": "new"}, now_unix=2_000)


def test_dropping_leaves_what_is_current() -> None:
    rotated = rotate(BEFORE, {"grant_key": "new", "turn_secret": "new"}, now_unix=2_000)
    after, dropped = drop_previous(rotated, ["grant_key"])
    assert dropped == ["grant_key_previous"]
    assert after.values["turn_secret_previous"] == "old-turn_secret"
    after, dropped = drop_previous(after, [])
    assert dropped == ["turn_secret_previous"]
    assert after.values == BEFORE.values | {"grant_key": "new", "turn_secret": "new"}
    assert not [name for name in after.made_unix if name.endswith("_previous")]


def test_somebody_knows_every_secret_and_who_checks_comes_before_who_signs() -> None:
    assert all(parts_that_know(name) for name in Secrets.model_fields)
    assert parts_that_know("ticket_key") == ("bridge", "edge")
    assert parts_that_know("turn_secret") == ("coturn", "edge")
    assert parts_that_know("grant_key") == ("edge",)


def test_no_value_is_in_what_a_file_says_of_itself() -> None:
    assert "old-grant_key" not in repr(BEFORE)
