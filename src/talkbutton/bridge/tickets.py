"""Takes tickets at the door of the bridge: each lets one call in, once. Pure.

Used tickets are remembered in memory only. A bridge that starts anew cannot know which were used
before, so it takes none that was signed before it started: their calls ended with its forerunner.
"""

from collections.abc import Sequence
from contextlib import suppress

from talkbutton.errors import ProtocolError
from talkbutton.protocols.ticket import TICKET_TTL_S, Ticket, verify_ticket

__all__ = ["TicketDesk"]


class TicketDesk:
    """Remembers used tickets for as long as they would be valid.

    Args:
        keys: The keys that the edge may sign with.
        started_unix: When this bridge started, Unix seconds.
    """

    def __init__(self, keys: Sequence[str], *, started_unix: float) -> None:
        self._keys = keys
        self._started_unix = started_unix
        self._used_until_unix: dict[str, float] = {}

    def change_keys(self, keys: Sequence[str]) -> None:
        """Take tickets signed with these keys from now on; used ones stay used."""
        self._keys = keys

    def spend(self, text: str, *, now_unix: float) -> Ticket:
        """Return the ticket that ``text`` holds; it is not valid a second time.

        Raises:
            ProtocolError: If it is missing, malformed, forged, late, was used already, or may
                have been, by a bridge before this one.
        """
        self._forget(now_unix)
        if not text:
            raise ProtocolError("the call has no ticket")
        ticket = self._verified(text, now_unix)
        if ticket.expires_unix - TICKET_TTL_S < self._started_unix:
            raise ProtocolError("the call's ticket is from before this bridge started")
        if ticket.call_id in self._used_until_unix:
            raise ProtocolError("the call's ticket was used already")
        self._used_until_unix[ticket.call_id] = ticket.expires_unix
        return ticket

    def _verified(self, text: str, now_unix: float) -> Ticket:
        first, *others = self._keys
        try:
            return verify_ticket(text, key=first, now_unix=now_unix)
        except ProtocolError:
            for key in others:
                with suppress(ProtocolError):
                    return verify_ticket(text, key=key, now_unix=now_unix)
            raise

    def _forget(self, now_unix: float) -> None:
        late = [call_id for call_id, until in self._used_until_unix.items() if until <= now_unix]
        for call_id in late:
            del self._used_until_unix[call_id]
