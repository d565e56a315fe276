"""Takes tickets at the door of the bridge: each lets one call in, once. Pure."""

from contextlib import suppress

from talkbutton.errors import ProtocolError
from talkbutton.protocols.ticket import Ticket, verify_ticket

__all__ = ["TicketDesk"]


class TicketDesk:
    """Remembers used tickets for as long as they would be valid.

    Args:
        key: The key that the edge signs with.
        previous: The key that it signed with before, which is accepted too.
    """

    def __init__(self, key: str, previous: str | None = None) -> None:
        self.change_keys(key, previous)
        self._used_until_unix: dict[str, int] = {}

    def change_keys(self, key: str, previous: str | None) -> None:
        """Take tickets signed with these keys from now on; used ones stay used."""
        self._keys = (key,) if previous is None else (key, previous)

    def spend(self, text: str, *, now_unix: float) -> Ticket:
        """Return the ticket that ``text`` holds; it is not valid a second time.

        Raises:
            ProtocolError: If it is missing, malformed, forged, late, or was used already.
        """
        self._forget(now_unix)
        if not text:
            raise ProtocolError("the call has no ticket")
        ticket = self._verified(text, now_unix)
        if ticket.call_id in self._used_until_unix:
            raise ProtocolError("the call's ticket was used already")
        self._used_until_unix[ticket.call_id] = ticket.expires_unix
        return ticket

    def _verified(self, text: str, now_unix: float) -> Ticket:
        for key in self._keys[1:]:
            with suppress(ProtocolError):
                return verify_ticket(text, key=key, now_unix=now_unix)
        return verify_ticket(text, key=self._keys[0], now_unix=now_unix)

    def _forget(self, now_unix: float) -> None:
        late = [call_id for call_id, until in self._used_until_unix.items() if until <= now_unix]
        for call_id in late:
            del self._used_until_unix[call_id]
