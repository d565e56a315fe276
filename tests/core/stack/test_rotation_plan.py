"""Which parts a rotation restarts, and which take new secrets as they run."""

import pytest

from talkbutton.operate.stack.parts import PART_BY_NAME
from talkbutton.operate.stack.rotation import parts_to_restart
from talkbutton.settings.secrets import Secrets, parts_that_know

pytestmark = pytest.mark.core


@pytest.mark.parametrize(
    ("changed", "restarted"),
    [
        (("grant_key", "grant_key_previous"), []),
        (("ticket_key", "ticket_key_previous", "challenge_key"), []),
        (("turn_secret", "turn_secret_previous"), []),
        (("turn_secret_previous",), []),
        (("sip_password",), ["asterisk", "keeper"]),
        (("ari_password",), ["asterisk", "bridge"]),
        (("janus_api_secret",), ["janus", "keeper", "edge"]),
        (("grant_key", "janus_admin_secret"), ["janus"]),
    ],
)
def test_only_what_is_read_at_the_start_needs_one(
    changed: tuple[str, ...], restarted: list[str]
) -> None:
    assert parts_to_restart(changed) == restarted


def test_whoever_knows_a_secret_is_a_part_of_the_stack() -> None:
    for name in Secrets.model_fields:
        assert set(parts_that_know(name)) <= PART_BY_NAME.keys()
