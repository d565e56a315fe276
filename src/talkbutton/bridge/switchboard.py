"""Brings events to their calls, lets callers in or turns them away, and ends what is orphaned."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from talkbutton.bots.interface import CallFacts
from talkbutton.bridge.call import Call, CallPlace
from talkbutton.bridge.tickets import TicketDesk
from talkbutton.errors import AriError, ConnectionLost, ProtocolError, StackError
from talkbutton.protocols.ari.commands import (
    DestroyBridge,
    HangUp,
    HangUpReason,
    list_bridges,
    list_channels,
)
from talkbutton.protocols.ari.events import ApplicationReplaced, Event, StasisStart
from talkbutton.protocols.ari.messages import Response
from talkbutton.protocols.ari.names import bridge_id_of, call_id_of, media_channel_id_of
from talkbutton.protocols.ari.steps import Cause, LinkLost, LinkRestored
from talkbutton.protocols.ari.survivors import Survivors, find_survivors
from talkbutton.protocols.ticket import Ticket
from talkbutton.runtime.aio.tasks import cancel_and_wait, failure_of
from talkbutton.runtime.bus import BusMessage

__all__ = ["Switchboard", "SwitchboardRules"]

_log = logging.getLogger("talkbutton.bridge")

_LAST_LOOK_MAX_S = 1.5


@dataclass(frozen=True, slots=True)
class SwitchboardRules:
    """Who is let in.

    Attributes:
        calls_max: Calls at once.
        new_call_id: Makes the id under which a caller without a valid ticket is recorded.
        orphan_grace_s: A channel that is on Asterisk's list but not of a known call may be one
            whose ``StasisStart`` is still on its way; it is ended after so many seconds.
    """

    calls_max: int
    new_call_id: Callable[[], str]
    orphan_grace_s: float = 1.0


class Switchboard:
    """All calls of one bridge.

    Args:
        place: What the calls share.
        desk: Takes their tickets.
        rules: Who is let in.
        tasks: Where calls run.
    """

    def __init__(
        self,
        place: CallPlace,
        desk: TicketDesk,
        rules: SwitchboardRules,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self.is_bot_ready = False
        self._is_closing = False
        self._running: set[asyncio.Task[None]] = set()
        self._place = place
        self._desk = desk
        self._rules = rules
        self._tasks = tasks
        self._calls: dict[str, Call] = {}  # by call id
        self._by_channel: dict[str, Call] = {}

    @property
    def calls_count(self) -> int:
        """Calls that are going on."""
        return len(self._calls)

    @property
    def has_room(self) -> bool:
        """Whether one more call may come."""
        return self.calls_count < self._rules.calls_max and not self._is_closing

    def on_event(self, event: Event) -> None:
        """Bring an event to its call, or let a new caller in."""
        if isinstance(event, ApplicationReplaced):
            self._record_takeover()
            return
        call = self._by_channel.get(event.channel_id)
        if call is not None:
            call.take(event)
        elif isinstance(event, StasisStart):
            self._enter(event)

    def _record_takeover(self) -> None:
        """Record it in every call that goes on, or under an id of its own where there is none."""
        for call_id in tuple(self._calls) or (self._rules.new_call_id(),):
            self._place.journal.append(call_id, "application.replaced", "asterisk")

    def on_link_down(self) -> None:
        """Tell all calls that Asterisk cannot be asked for a while."""
        for call in self._calls.values():
            call.take(LinkLost())

    def on_link_up(self) -> None:
        """Compare what lives in Asterisk with the calls that are known."""
        if not self._is_closing:
            before = tuple(self._calls.values())
            self._tasks.create_task(self._reconcile(before))

    async def close(self) -> None:
        """Let nobody in any more, end all calls, then whatever of ours is left in Asterisk."""
        self._is_closing = True
        await cancel_and_wait(self._running)
        try:
            async with asyncio.timeout(_LAST_LOOK_MAX_S):
                await self._end(await self._survivors())
        except (AriError, ConnectionLost, TimeoutError) as exc:
            _log.warning("could not look for channels left in Asterisk: %s", exc)

    def _enter(self, event: StasisStart) -> None:
        if call_id_of(event.channel_id) is not None:  # made for a call that is over
            self._hang_up(event.channel_id, "normal")
            return
        given, extension = (*event.args, "", "")[:2]
        try:
            ticket = self._desk.spend(given, now_unix=time.time())
        except ProtocolError as exc:
            self._refuse(event.channel_id, extension, str(exc))
            return
        self._place.journal.append(
            ticket.call_id,
            "channel.entered",
            "asterisk",
            channel_id=event.channel_id,
            consent=ticket.has_consent,
        )
        if self.has_room and self.is_bot_ready:
            self._admit(ticket, extension, event.channel_id)
        else:
            self._turn_away(ticket.call_id, event.channel_id, "bot_unavailable")

    def _refuse(self, channel_id: str, extension: str, reason: str) -> None:
        self._place.journal.append(
            self._rules.new_call_id(),
            "ticket.refused",
            "bridge",
            reason=reason,
            extension=extension,
            channel_id=channel_id,
        )
        self._hang_up(channel_id, "rejected")

    def _admit(self, ticket: Ticket, extension: str, channel_id: str) -> None:
        facts = CallFacts(
            ticket.call_id,
            ticket.site,
            extension,
            ticket.duration_max_s,
            ticket.warning_s,
            ticket.has_consent,
        )
        call = Call(facts, channel_id, self._place)
        self._calls[ticket.call_id] = call
        self._by_channel[channel_id] = call
        self._by_channel[media_channel_id_of(ticket.call_id)] = call
        holding = self._tasks.create_task(self._hold(call))
        self._running.add(holding)
        holding.add_done_callback(self._running.discard)

    async def _hold(self, call: Call) -> None:
        call_id = call.facts.call_id
        try:
            failure = await failure_of(call.run(), what=f"call {call_id}")
            if failure is not None and not call.is_over:
                is_without_port = isinstance(failure, StackError | OSError)
                cause: Cause = "line_unavailable" if is_without_port else "internal"
                self._turn_away(call_id, call.channel_id, cause)
        finally:
            del self._calls[call_id]
            del self._by_channel[call.channel_id]
            del self._by_channel[media_channel_id_of(call_id)]

    def _turn_away(self, call_id: str, channel_id: str, cause: Cause) -> None:
        self._place.bus.publish(BusMessage("call.ending", call_id, {"cause": cause}))
        self._hang_up(channel_id, "congestion")
        self._hang_up(media_channel_id_of(call_id), "normal")
        self._place.link.submit(DestroyBridge(bridge_id_of(call_id)).request(), _heedless)
        self._place.journal.append(call_id, "call.ended", "bridge", cause=cause)

    def _hang_up(self, channel_id: str, reason: HangUpReason) -> None:
        self._place.link.submit(HangUp(channel_id, reason).request(), _heedless)

    async def _reconcile(self, before: tuple[Call, ...]) -> None:
        try:
            survivors = await self._survivors()
            for call in before:
                call.take(LinkRestored(survivors.channel_ids))
            await asyncio.sleep(self._rules.orphan_grace_s)
            await self._end(survivors.without(self._known()))
        except (AriError, ConnectionLost) as exc:
            _log.warning("could not compare calls with Asterisk: %s", exc)

    async def _survivors(self) -> Survivors:
        channels = await self._place.link.ask(list_channels())
        bridges = await self._place.link.ask(list_bridges())
        return find_survivors(channels.body, bridges.body)

    def _known(self) -> frozenset[str]:
        bridge_ids = {bridge_id_of(call_id) for call_id in self._calls}
        return frozenset(bridge_ids | set(self._by_channel))

    async def _end(self, orphans: Survivors) -> None:
        for channel_id in orphans.channel_ids:
            self._hang_up(channel_id, "normal")
        for bridge_id in orphans.bridge_ids:
            self._place.link.submit(DestroyBridge(bridge_id).request(), _heedless)
        if orphans.channel_ids or orphans.bridge_ids:
            _log.warning(
                "ended %d channels and %d bridges in Asterisk that no call owned",
                len(orphans.channel_ids),
                len(orphans.bridge_ids),
            )
            await self._place.link.ask(list_bridges())  # answered after all of the above


def _heedless(_: Response | None) -> None:
    """Take an answer that changes nothing: what should be gone is gone, or ends with a restart."""
