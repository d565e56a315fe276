"""Reads from Asterisk's lists what of ours lives there."""

from dataclasses import dataclass

from talkbutton.protocols.ari.messages import Json
from talkbutton.protocols.ari.names import APPLICATION, call_id_of

__all__ = ["Survivors", "find_survivors"]


@dataclass(frozen=True, slots=True)
class Survivors:
    """Channels and bridges of the application, by id."""

    channel_ids: frozenset[str]
    bridge_ids: frozenset[str]

    def without(self, known: frozenset[str]) -> "Survivors":
        """Return those that are not in ``known``."""
        return Survivors(self.channel_ids - known, self.bridge_ids - known)


def find_survivors(channels: Json, bridges: Json) -> Survivors:
    """Return what is ours: by id, and callers by the application that they are in.

    Args:
        channels: Body of the answer to ``list_channels``.
        bridges: Body of the answer to ``list_bridges``.
    """
    return Survivors(
        frozenset(found for each in _items(channels) if (found := _our_channel(each))),
        frozenset(found for each in _items(bridges) if (found := _our_bridge(each))),
    )


def _items(body: Json) -> list[Json]:
    return body if isinstance(body, list) else []


def _our_channel(channel: Json) -> str | None:
    match channel:
        case {"id": str(channel_id)} if call_id_of(channel_id) is not None:
            return channel_id
        case {"id": str(channel_id), "dialplan": {"app_name": "Stasis", "app_data": str(given)}}:
            return channel_id if given.partition(",")[0].strip() == APPLICATION else None
        case _:
            return None


def _our_bridge(bridge: Json) -> str | None:
    match bridge:
        case {"id": str(bridge_id)} if call_id_of(bridge_id) is not None:
            return bridge_id
        case _:
            return None
