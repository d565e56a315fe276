"""The gateway's side of one signaling session: places its call and tells what becomes of it."""

import asyncio
from collections.abc import Callable

from talkbutton.edge.context import EdgeContext
from talkbutton.edge.ports import GatewayCall
from talkbutton.edge.presence import Presence
from talkbutton.errors import ConnectionLost, JanusError
from talkbutton.protocols import janus
from talkbutton.protocols.signaling import (
    CallAnswered,
    CallConnected,
    CallHungUp,
    CallLost,
    CallNotPlaced,
    CallPlaced,
    CallRinging,
    CallSilent,
    Candidate,
    Input,
)
from talkbutton.protocols.ticket import TICKET_HEADER, Ticket, sign_ticket
from talkbutton.protocols.ticket.ticket import TICKET_TTL_S
from talkbutton.rules.admission import Grant
from talkbutton.settings.addresses import sip_uri

__all__ = ["CallLeg", "translate_news"]


class CallLeg:
    """One call in the gateway. Cancelling ``carry`` ends the call.

    Args:
        context: The rooms below.
        grant: What the visitor may do.
        report: Takes what happens.
        confirm_media: Called when sound has come from the visitor.
    """

    def __init__(
        self,
        context: EdgeContext,
        grant: Grant,
        report: Callable[[Input], None],
        confirm_media: Callable[[], None],
    ) -> None:
        self._context = context
        self._grant = grant
        self._report = report
        self._confirm_media = confirm_media
        self._candidates: asyncio.Queue[janus.Candidate | None] = asyncio.Queue()

    async def carry(self, offer_sdp: str) -> None:
        """Place the call and report until it is over."""
        try:
            call = await self._place(offer_sdp)
        except (ConnectionLost, JanusError) as exc:
            self._report(CallNotPlaced("gateway_unavailable", str(exc)))
            return
        try:
            self._report(CallPlaced(_describe(call)))
            async with asyncio.TaskGroup() as tasks:
                trickling = tasks.create_task(self._trickle_to(call))
                await self._listen_to(call)
                trickling.cancel()
        finally:
            await call.hang_up()

    def trickle(self, candidate: Candidate) -> None:
        """Pass on a candidate of the browser; never waits."""
        if candidate.candidate is None:
            self._candidates.put_nowait(None)
            return
        text = candidate.candidate.text
        self._candidates.put_nowait(
            janus.Candidate(text, candidate.sdp_mid, candidate.sdp_mline_index)
        )

    async def _trickle_to(self, call: GatewayCall) -> None:
        while True:
            await call.trickle(await self._candidates.get())

    async def _listen_to(self, call: GatewayCall) -> None:
        async for news in call.events():
            if isinstance(news, janus.MediaHeard):
                self._confirm_media()
            heard = translate_news(news, self._context.presence)
            if heard is not None:
                self._report(heard)

    async def _place(self, offer_sdp: str) -> GatewayCall:
        keeper = self._context.presence.keeper
        if keeper is None:
            raise ConnectionLost("the keeper of the SIP identity is not there")
        site = self._context.settings.sites[self._grant.site]
        ticket = Ticket(
            self._grant.call_id,
            self._grant.site,
            site.call_duration_max_s,
            self._context.wall_clock() + TICKET_TTL_S,
            site.limits.warning_s,
            self._grant.has_consent,
        )
        ticket_key = self._context.secrets.ticket_key.get_secret_value()
        return await self._context.gateway.place_call(
            self._grant.call_id,
            offer_sdp=offer_sdp,
            uri=sip_uri(self._context.settings, site.extension),
            headers={TICKET_HEADER: sign_ticket(ticket, key=ticket_key)},
            master_id=keeper.master_id,
            username=keeper.username,
        )


def translate_news(news: janus.CallNews, presence: Presence) -> Input | None:
    """Return what the gateway's news means to the session; None where it means nothing."""
    match news:
        case janus.Ringing():
            return CallRinging()
        case janus.Answered(sdp):
            return CallAnswered(sdp)
        case janus.IceConnected():
            return CallConnected()
        case janus.MediaSilent(silent_s):
            return CallSilent(silent_s)
        case janus.HungUp(sip_code, reason):
            return CallHungUp(sip_code, reason, is_line_ready=not presence.is_line_down)
        case janus.Lost(cause):
            return CallLost(cause)
        case _:
            return None


def _describe(call: GatewayCall) -> dict[str, int | float | str]:
    ids = {
        "janus_session_id": call.janus_session_id,
        "janus_handle_id": call.janus_handle_id,
    }
    return {name: value for name, value in ids.items() if value is not None}
