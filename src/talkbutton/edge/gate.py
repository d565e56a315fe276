"""The gate before everything else: who floods is answered in microseconds.

It looks at the address alone, so that nothing is parsed, looked up or recorded for a flood. An
honest visitor hardly meets it: an address that keeps to its site's limits is let through, and while
there is more to do than time, before those that have asked more.
"""

import time
from collections.abc import Callable
from functools import lru_cache, partial
from math import ceil

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from talkbutton.edge.context import address_of
from talkbutton.edge.doors import Doors
from talkbutton.edge.fair_queue import FairQueue
from talkbutton.edge.problem import refused_response
from talkbutton.rules.admission import RefusalCode, refuse
from talkbutton.rules.admission.rates import AddressRates, Rate
from talkbutton.settings.model import Settings

__all__ = ["Gate", "InTurn", "asking_rate"]

_ADDRESSES_MAX = 50_000
_READING = Rate(per_s=20.0, burst=200)
_BURST_MIN = 6
_BURST_SHARE = 0.1  # of a minute's limit
_RETRY_AFTER_MAX_S = 60
_ASKED_BEFORE = "talkbutton.asked_before"  # in the scope
_RETRY_AFTER_BUSY_S = 5
_SLOTS = 32  # some may wait for a third party or a ledger; the others still take turns
_WAITING_MAX = 256
_WAIT_MAX_S = 5.0
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


def asking_rate(settings: Settings) -> Rate:
    """Return how often one address may ask for something: the most that any site allows."""
    a_minute = max(site.limits.sessions_per_address_and_minute for site in settings.sites.values())
    # A press may take two requests: one is asked for a challenge first.
    return Rate(per_s=2 * a_minute / 60, burst=max(_BURST_MIN, ceil(_BURST_SHARE * a_minute)))


class Gate:
    """Refuses addresses that ask too often, or hold too many sockets, with ``429``.

    Args:
        app: The application.
        settings: The deployment's settings.
        clock: Monotonic seconds.
    """

    def __init__(
        self, app: ASGIApp, settings: Settings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._edge = settings.edge
        self._clock = clock
        asking = asking_rate(settings)
        self._asking = AddressRates(asking, addresses_max=_ADDRESSES_MAX)
        self._connecting = AddressRates(asking, addresses_max=_ADDRESSES_MAX)
        self._reading = AddressRates(_READING, addresses_max=_ADDRESSES_MAX)
        # Behind a proxy the connections are the proxy's: here the visitors' own are counted.
        self._doors = Doors(
            all_max=self._edge.sockets_max, per_address_max=self._edge.sockets_per_address_max
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        address = address_of(scope, self._edge)
        is_socket = scope["type"] == "websocket"
        if is_socket:
            rates = self._connecting
        else:
            rates = self._reading if scope["method"] in _READS else self._asking
        taken = rates.take(address, now=self._clock())
        if taken.wait_s > 0.0:
            await _too_many(min(_RETRY_AFTER_MAX_S, ceil(taken.wait_s)))(scope, receive, send)
        elif is_socket:
            await self._pass_socket(address, scope, receive, send)
        else:
            scope[_ASKED_BEFORE] = taken.asked_before
            await self._app(scope, receive, send)

    async def _pass_socket(self, address: str, scope: Scope, receive: Receive, send: Send) -> None:
        leave = self._doors.enter(address)
        if leave is None:
            await _too_many(_RETRY_AFTER_MAX_S)(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            leave()


class InTurn:
    """Lets requests that ask for something work one after the other, who has asked least first.

    It comes behind ``BodyLimit``: whoever drips a body waits with that, and holds nobody up.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._queue = FairQueue(slots=_SLOTS, waiting_max=_WAITING_MAX, wait_max_s=_WAIT_MAX_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass a WebSocket on."""
        if scope["type"] != "http" or scope["method"] in _READS:
            await self._app(scope, receive, send)
        elif not await self._queue.enter(scope[_ASKED_BEFORE]):
            await _busy(scope, receive, send)
        else:
            try:
                await self._app(scope, receive, send)
            finally:
                self._queue.leave()


def _refusal(code: RefusalCode, retry_after_s: int) -> Response:
    refused = refuse(code, retry_after_s=retry_after_s)
    return refused_response(refused)


_too_many = lru_cache(maxsize=_RETRY_AFTER_MAX_S)(partial(_refusal, "address_sessions"))
_busy = _refusal("all_sessions", _RETRY_AFTER_BUSY_S)
