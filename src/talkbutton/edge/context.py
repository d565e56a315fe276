"""What every request of the edge may use."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from talkbutton.edge.ports import Gateway
from talkbutton.edge.presence import Presence
from talkbutton.runtime.bus import LocalBus
from talkbutton.runtime.journal import Journal
from talkbutton.runtime.ledger import Ledger
from talkbutton.settings.model import EdgeSecrets, Settings

__all__ = ["Context", "EdgeContext", "peer_address"]


@dataclass(frozen=True, slots=True)
class EdgeContext:
    """The rooms below, opened.

    Attributes:
        settings: The deployment's settings.
        secrets: The edge's secrets.
        gateway: Places the calls.
        bus: Live messages from and to the bridge.
        journal: Where events are recorded.
        presence: Who is alive.
        media_address: Address that browsers send media to, resolved.
        ledger: Who holds what: limits, leases, budgets, single use.
        wall_clock: Unix seconds.
        random_bytes: Returns so many random bytes.
    """

    settings: Settings
    secrets: EdgeSecrets
    gateway: Gateway
    bus: LocalBus
    journal: Journal
    presence: Presence
    media_address: str
    ledger: Ledger
    wall_clock: Callable[[], float] = time.time
    random_bytes: Callable[[int], bytes] = os.urandom


def _get_context(connection: HTTPConnection) -> EdgeContext:
    context = connection.app.state.context
    assert isinstance(context, EdgeContext)
    return context


Context = Annotated[EdgeContext, Depends(_get_context)]
"""The context, as an argument of a request's function."""


def peer_address(connection: HTTPConnection) -> str:
    """Return the IP address at the other end of the socket."""
    assert connection.client is not None, "the server listens on TCP"
    return connection.client.host
