"""What every request of the edge may use."""

import os
import time
from asyncio import Semaphore
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection
from starlette.types import Scope

from talkbutton.edge.ports import Gateway
from talkbutton.edge.presence import Presence
from talkbutton.protocols.forwarded import client_address, plain_address
from talkbutton.rules.admission import Crowd, address_prefix
from talkbutton.runtime.bus import LocalBus
from talkbutton.runtime.journal import Journal
from talkbutton.runtime.ledger import Ledger
from talkbutton.settings.model import EdgeSecrets, EdgeSettings, Settings

__all__ = ["Context", "EdgeContext", "address_of", "networks", "peer_address"]

_VERIFICATIONS_AT_ONCE = 32


@dataclass(slots=True)
class EdgeContext:
    """The rooms below, opened.

    Attributes:
        settings: The deployment's settings.
        secrets: The edge's secrets, as they are now; nobody keeps a copy.
        gateway: Places the calls.
        bus: Live messages from and to the bridge.
        journal: Where events are recorded.
        presence: Who is alive.
        media_address: Address that browsers send media to, resolved.
        ledger: Who holds what: limits, leases, budgets, single use.
        crowd: Who pressed how hard lately.
        provider_slots: How many visitors' tokens may be verified elsewhere at once.
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
    crowd: Crowd = field(default_factory=Crowd)
    provider_slots: Semaphore = field(default_factory=lambda: Semaphore(_VERIFICATIONS_AT_ONCE))
    wall_clock: Callable[[], float] = time.time
    random_bytes: Callable[[int], bytes] = os.urandom

    def network_of(self, address: str) -> str:
        """Return the network that grants and challenges for ``address`` are good from."""
        edge = self.settings.edge
        return address_prefix(
            address, v4_bits=edge.grant_prefix_v4_bits, v6_bits=edge.grant_prefix_v6_bits
        )

    def take_secrets(self, secrets: EdgeSecrets) -> None:
        """Go on with these: the operator has rotated some."""
        self.secrets = secrets


def _context_of(connection: HTTPConnection) -> EdgeContext:
    context = connection.app.state.context
    assert isinstance(context, EdgeContext)
    return context


async def _get_context(connection: HTTPConnection) -> EdgeContext:
    # async, or FastAPI would send it through a thread for each request
    return _context_of(connection)


Context = Annotated[EdgeContext, Depends(_get_context)]
"""The context, as an argument of a request's function."""


def peer_address(connection: HTTPConnection) -> str:
    """Return the visitor's IP address: the socket's peer, or who a trusted proxy says it is."""
    return address_of(connection.scope, _context_of(connection).settings.edge)


def address_of(scope: Scope, edge: EdgeSettings) -> str:
    """Return the visitor's IP address, of a request that the application has not seen yet."""
    assert scope["client"] is not None, "the server listens on TCP"
    peer = str(scope["client"][0])
    if not edge.trusted_proxies:
        return plain_address(peer)
    header = edge.forwarded_header.encode("ascii")
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == header]
    return client_address(
        peer, values, header=edge.forwarded_header, trusted=networks(edge.trusted_proxies)
    )


@lru_cache(maxsize=8)
def networks(texts: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return networks as values."""
    return tuple(ip_network(text) for text in texts)
