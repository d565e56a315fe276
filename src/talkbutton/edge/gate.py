"""The gate before everything else: who floods is answered in microseconds.

It looks at the address alone, so that nothing is parsed, looked up or recorded for a flood. An
honest visitor never meets it: an address that keeps to its site's limits is always let through.
"""

import time
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from math import ceil

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from talkbutton.edge.context import address_of
from talkbutton.edge.doors import Doors
from talkbutton.edge.problem import problem_response
from talkbutton.rules.admission.rates import AddressRates, Rate
from talkbutton.settings.model import Settings

__all__ = ["Gate", "asking_rate"]

_ADDRESSES_MAX = 50_000
_READING = Rate(per_s=20.0, burst=200)
_BURST_MIN = 6
_BURST_SHARE = 0.1  # of a minute's limit
_RETRY_AFTER_MAX_S = 60
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_DETAIL = "That was a bit fast. Please wait a moment, then try again."


def asking_rate(settings: Settings) -> Rate:
    """Return how often one address may ask for something: the most that any site allows."""
    a_minute = max(site.limits.sessions_per_address_and_minute for site in settings.sites.values())
    # A press may take two requests, for a challenge and for the session, and one for the socket.
    return Rate(per_s=3 * a_minute / 60, burst=max(_BURST_MIN, ceil(_BURST_SHARE * a_minute)))


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
        self._asking = AddressRates(asking_rate(settings), addresses_max=_ADDRESSES_MAX)
        self._reading = AddressRates(_READING, addresses_max=_ADDRESSES_MAX)
        # Behind a proxy the connections are the proxy's: here the visitors' own are counted.
        self._doors = Doors(
            all_max=self._edge.sockets_max, per_address_max=self._edge.sockets_per_address_max
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        address = address_of(scope, self._edge)
        is_socket = scope["type"] == "websocket"
        rates = self._asking if is_socket or scope["method"] not in _READS else self._reading
        wait_s = rates.take(address, now=self._clock())
        if wait_s > 0.0:
            await _too_many(min(_RETRY_AFTER_MAX_S, ceil(wait_s)))(scope, receive, send)
        elif not is_socket:
            await self._app(scope, receive, send)
        elif (leave := self._doors.enter(address)) is None:
            await _too_many(_RETRY_AFTER_MAX_S)(scope, receive, send)
        else:
            try:
                await self._app(scope, receive, send)
            finally:
                leave()


@lru_cache(maxsize=_RETRY_AFTER_MAX_S)
def _too_many(retry_after_s: int) -> Response:
    return problem_response(
        HTTPStatus.TOO_MANY_REQUESTS, "address_sessions", _DETAIL, retry_after_s=retry_after_s
    )
