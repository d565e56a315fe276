import pytest

from talkbutton.protocols.ari.names import bridge_id_of, call_id_of, media_channel_id_of
from talkbutton.protocols.ari.survivors import Survivors, find_survivors

pytestmark = pytest.mark.core

CALL_ID = "0193" * 8


def stasis(channel_id: str, app_data: str) -> dict[str, object]:
    return {"id": channel_id, "dialplan": {"app_name": "Stasis", "app_data": app_data}}


def test_names_lead_back_to_the_call() -> None:
    assert call_id_of(bridge_id_of(CALL_ID)) == CALL_ID
    assert call_id_of(media_channel_id_of(CALL_ID)) == CALL_ID


@pytest.mark.parametrize(
    "foreign", ["", "tb-", "tb-x-media", f"tb-{CALL_ID}", f"xtb-{CALL_ID}-media", "1795.1"]
)
def test_other_ids_are_not_ours(foreign: str) -> None:
    assert call_id_of(foreign) is None


def test_finds_callers_by_application_and_the_rest_by_id() -> None:
    media, bridge = media_channel_id_of(CALL_ID), bridge_id_of(CALL_ID)
    channels = [
        stasis("1.1", "talkbutton,ticket,7000"),
        stasis("1.2", "talkbutton"),
        stasis("1.3", "talkbutton2,x"),
        stasis("1.4", "other,talkbutton"),
        {"id": "1.5", "dialplan": {"app_name": "Dial", "app_data": "talkbutton"}},
        {"id": media},
        {"name": "no id"},
        "garbage",
    ]
    bridges = [{"id": bridge}, {"id": "somebody-elses"}, None]
    assert find_survivors(channels, bridges) == Survivors(
        frozenset({"1.1", "1.2", media}), frozenset({bridge})
    )


def test_nothing_can_be_read_from_what_is_no_list() -> None:
    assert find_survivors({"message": "no"}, None) == Survivors(frozenset(), frozenset())


def test_known_ones_are_taken_out() -> None:
    found = Survivors(frozenset({"a", "b"}), frozenset({"c", "d"}))
    assert found.without(frozenset({"a", "c"})) == Survivors(frozenset({"b"}), frozenset({"d"}))
