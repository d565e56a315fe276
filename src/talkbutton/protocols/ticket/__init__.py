"""The signed ticket that a call carries from the edge to the bridge."""

from talkbutton.protocols.ticket.ticket import (
    TICKET_HEADER,
    TICKET_TTL_S,
    Ticket,
    sign_ticket,
    verify_ticket,
)

__all__ = ["TICKET_HEADER", "TICKET_TTL_S", "Ticket", "sign_ticket", "verify_ticket"]
