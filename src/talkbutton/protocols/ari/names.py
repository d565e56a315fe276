"""Ids of what a call makes in Asterisk: chosen before it is made, known again after a restart."""

from talkbutton.ids import is_call_id

__all__ = ["APPLICATION", "bridge_id_of", "call_id_of", "media_channel_id_of"]

APPLICATION = "talkbutton"
"""The Stasis application."""

_PREFIX = "tb-"
_BRIDGE = "-bridge"
_MEDIA = "-media"


def bridge_id_of(call_id: str) -> str:
    """Return the id of a call's mixing bridge."""
    return f"{_PREFIX}{call_id}{_BRIDGE}"


def media_channel_id_of(call_id: str) -> str:
    """Return the id of a call's ExternalMedia channel."""
    return f"{_PREFIX}{call_id}{_MEDIA}"


def call_id_of(resource_id: str) -> str | None:
    """Return the call that a bridge or ExternalMedia channel is of; None if it is not ours."""
    if not resource_id.startswith(_PREFIX):
        return None
    for suffix in (_BRIDGE, _MEDIA):
        call_id = resource_id.removeprefix(_PREFIX).removesuffix(suffix)
        if resource_id.endswith(suffix) and is_call_id(call_id):
            return call_id
    return None
