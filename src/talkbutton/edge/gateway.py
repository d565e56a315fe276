"""The edge's one connection to Janus, and the calls on it.

    gateway = JanusGateway(settings, login)
    ... task group: gateway.run() ...
    call = await gateway.place_call(call_id, offer_sdp=..., uri=..., headers=..., ...)
    async for news in call.events(): ...

A call's last news is ``HungUp`` or ``Lost``, exactly once; its handle in Janus is gone soon after,
whatever happened. A call nobody wants any more is ended by ``hang_up``.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping

from talkbutton.errors import ConnectionLost, JanusError
from talkbutton.protocols.janus import (
    Calling,
    CallNews,
    CallPlan,
    CallTimes,
    Candidate,
    HungUp,
    JanusLogin,
    Lost,
    MasterReady,
    News,
    Refused,
    SipCall,
)
from talkbutton.runtime.aio.janus_link import JanusLink
from talkbutton.settings.addresses import janus_api_url
from talkbutton.settings.model import Settings

__all__ = ["GatewayCall", "JanusGateway"]

_NEWS_MAX = 100


class GatewayCall:
    """One call through Janus. Made by ``JanusGateway.place_call``.

    Attributes:
        call_id: The call's id.
        janus_session_id: Janus's session, for the record.
        janus_handle_id: Janus's handle, for the record; None if the call ended before it began.
        news_dropped: News about media that a slow reader missed; never an answer or an end.
    """

    def __init__(self, link: JanusLink, plan: CallPlan, times: CallTimes | None = None) -> None:
        self.call_id = plan.call_id
        self.janus_session_id = link.session_id
        self.janus_handle_id: int | None = None
        self.news_dropped = 0
        self._link = link
        self._machine = SipCall(plan, times)
        self._placed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue: asyncio.Queue[CallNews] = asyncio.Queue()
        self._is_over = False
        self._key = link.add(self._machine, self._hear)

    @property
    def is_over(self) -> bool:
        """Whether the call has ended, read or not."""
        return self._is_over

    async def events(self) -> AsyncIterator[CallNews]:
        """Yield what happens to the call; ends after ``HungUp`` or ``Lost``. One reader."""
        while True:
            news = await self._queue.get()
            yield news
            if isinstance(news, HungUp | Lost):
                return

    async def trickle(self, candidate: Candidate | None) -> None:
        """Pass on one of the browser's ICE candidates; None says there are no more."""
        self._link.carry_out(self._key, self._machine.trickle(candidate))

    async def hang_up(self) -> None:
        """End the call, however far it is; harmless when it is over. Does not wait for the end."""
        self.abandon()

    def abandon(self) -> None:
        """Do what ``hang_up`` does, where nothing may wait."""
        now = asyncio.get_running_loop().time()
        self._link.carry_out(self._key, self._machine.hang_up(now=now))

    async def placed(self) -> None:
        """Wait until the INVITE is out. For ``JanusGateway.place_call``."""
        await self._placed

    def _hear(self, news: News) -> None:
        match news:
            case Calling(handle_id):
                self.janus_handle_id = handle_id
                self._settle(None)
            case Refused(janus_code, reason):
                self._is_over = True
                self._settle(JanusError(janus_code, reason))
            case Lost(cause) if not self._placed.done():
                self._is_over = True
                self._settle(ConnectionLost(f"the call could not be placed: {cause}"))
            case HungUp():
                self._settle(None)
                self._is_over = True
                self._queue.put_nowait(news)
            case Lost():
                self._is_over = True
                self._queue.put_nowait(news)
            case MasterReady():
                raise AssertionError(news)
            case _ if self._queue.qsize() < _NEWS_MAX:
                self._queue.put_nowait(news)
            case _:
                self.news_dropped += 1

    def _settle(self, failure: Exception | None) -> None:
        if self._placed.done():
            return
        if failure is None:
            self._placed.set_result(None)
        else:
            self._placed.set_exception(failure)
            self._placed.exception()  # who placed the call may have left: that is no error


class JanusGateway:
    """Keeps one session with Janus and places calls on it.

    Args:
        settings: Where Janus is.
        login: What Janus asks for.
        link: Replaces the connection that is made from the settings.
        times: How long a call's waits may last.
    """

    def __init__(
        self,
        settings: Settings,
        login: JanusLogin,
        *,
        link: JanusLink | None = None,
        times: CallTimes | None = None,
    ) -> None:
        self._link = link or JanusLink(janus_api_url(settings), login)
        self._times = times

    @property
    def is_ready(self) -> bool:
        """Whether a call could be placed now, as far as Janus goes."""
        return self._link.is_ready

    async def wait_ready(self) -> None:
        """Wait until ``is_ready``."""
        await self._link.wait_ready()

    async def run(self) -> None:
        """Keep the connection until cancelled; calls that are up then are ended."""
        await self._link.run()

    async def place_call(
        self,
        call_id: str,
        *,
        offer_sdp: str,
        uri: str,
        headers: Mapping[str, str],
        master_id: int,
        username: str,
    ) -> GatewayCall:
        """Call ``uri`` for one visitor; returns when the INVITE is out.

        Cancelling it ends the call.

        Args:
            call_id: Becomes the handle's ``opaque_id``.
            offer_sdp: The browser's offer.
            uri: SIP URI to call.
            headers: Extra headers of the INVITE.
            master_id: The keeper's master handle, whose identity is borrowed.
            username: SIP URI of that identity.

        Raises:
            ConnectionLost: If Janus is not there, or does not answer in time.
            JanusError: If Janus refuses, such as 453 for a master that is gone.
            ValueError: If the URI or a header cannot be sent.
        """
        plan = CallPlan(call_id, uri, headers, master_id, username, offer_sdp)
        call = GatewayCall(self._link, plan, self._times)
        try:
            await call.placed()
        except asyncio.CancelledError:
            call.abandon()
            raise
        return call
