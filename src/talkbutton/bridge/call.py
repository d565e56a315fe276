"""One call is one task group: media, bot and hang-up wishes run beside the machine that decides.

Whatever ends the call, and cancellation too, the machine takes it down in Asterisk first; then the
tasks are cancelled and the port is given back.
"""

import asyncio
from dataclasses import dataclass
from functools import partial

from talkbutton.bots.interface import Bot, CallFacts, Speaker
from talkbutton.bridge.ari_link import AriLink
from talkbutton.bridge.line import CallLine
from talkbutton.bridge.media_port import MediaPort, OpenMedia
from talkbutton.events import Scalar
from talkbutton.protocols.ari.call import AriCall, CallState
from talkbutton.protocols.ari.commands import Command
from talkbutton.protocols.ari.messages import Response
from talkbutton.protocols.ari.steps import (
    Announce,
    BotFinished,
    CallTiming,
    Effect,
    Ended,
    HangUpAsked,
    Input,
    MediaFailed,
    MediaVerified,
    PinPeer,
    Replied,
    Report,
    StartBot,
    StopBot,
    WarnBot,
    cause_of,
)
from talkbutton.runtime.aio.tasks import cancel_and_wait, failure_of
from talkbutton.runtime.bus import BusMessage, Json, LocalBus
from talkbutton.runtime.bus.local import Subscription
from talkbutton.runtime.journal import Journal

__all__ = ["Call", "CallPlace"]

_LAST_WORDS_S = 0.3
"""What the bot said last is still on its way to the caller when the bot returns."""


@dataclass(frozen=True, slots=True)
class CallPlace:
    """What all calls of a bridge share.

    Attributes:
        link: To Asterisk.
        bus: To the other programs.
        journal: Where facts go.
        bot: What talks.
        open_media: Opens a media port for a call.
        media_format: Asterisk's name of the format on that port.
        timing: How long calls wait for what.
    """

    link: AriLink
    bus: LocalBus
    journal: Journal
    bot: Bot
    open_media: OpenMedia
    media_format: str
    timing: CallTiming


class Call:
    """One caller and one bot.

    Args:
        facts: What is known about the call.
        channel_id: The caller's channel, which is in Stasis.
        place: What it shares with other calls.
    """

    def __init__(self, facts: CallFacts, channel_id: str, place: CallPlace) -> None:
        self.is_over = False  # nothing of it is left in Asterisk, as far as we know
        self.facts = facts
        self.channel_id = channel_id
        self._place = place
        self._steps: asyncio.Queue[Input] = asyncio.Queue()
        self._line = CallLine(
            facts, publish_caption=self._publish_caption, report_event=self._report_bot_event
        )
        self._bot_task: asyncio.Task[None] | None = None

    def take(self, step: Input) -> None:
        """Tell the call that something happened; never waits."""
        self._steps.put_nowait(step)

    async def run(self) -> None:
        """Hold the call from its arrival until nothing of it is left.

        Raises:
            StackError: If there is no port for its media; then nothing was made in Asterisk.
        """
        media = await self._place.open_media()
        try:
            with self._place.bus.subscribe("call.hang_up", call_id=self.facts.call_id) as wishes:
                async with asyncio.TaskGroup() as tasks:
                    beside = [
                        tasks.create_task(self._exchange_media(media)),
                        tasks.create_task(self._await_first_packet(media)),
                        tasks.create_task(self._heed(wishes)),
                    ]
                    await self._drive(media, tasks)
                    await cancel_and_wait(beside)
        finally:
            self._line.close()
            media.close()

    async def _drive(self, media: MediaPort, tasks: asyncio.TaskGroup) -> None:
        """Feed the machine and carry out what it wants until the call has ended."""
        host, port = media.local_address
        machine = AriCall(
            call_id=self.facts.call_id,
            channel_id=self.channel_id,
            external_host=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            media_format=self._place.media_format,
            duration_max_s=self.facts.duration_max_s,
            warning_s=self.facts.warning_s,
            timing=self._place.timing,
        )
        now = asyncio.get_running_loop().time
        cancelled: asyncio.CancelledError | None = None
        self._carry_out(machine.start(now=now()), media, tasks)
        while machine.state is not CallState.ENDED:
            try:
                async with asyncio.timeout_at(machine.deadline):
                    step = await self._steps.get()
                effects = machine.receive(step, now=now())
            except TimeoutError:
                effects = machine.handle_timeout(now=now())
            except asyncio.CancelledError as exc:  # the bridge stops: leave nothing behind
                if cancelled is not None:
                    raise
                cancelled = exc
                effects = machine.receive(HangUpAsked("bot_unavailable"), now=now())
            self._carry_out(effects, media, tasks)
        if cancelled is not None:
            raise cancelled

    def _carry_out(self, effects: list[Effect], media: MediaPort, tasks: asyncio.TaskGroup) -> None:
        for effect in effects:
            match effect:
                case PinPeer(host, port):
                    media.pin_peer(host, port)
                case StartBot():
                    self._bot_task = tasks.create_task(self._converse())
                case StopBot():
                    self._stop_bot()
                case WarnBot(left_s):
                    self._line.end_soon(left_s)
                case Announce(cause):
                    self._publish("call.ending", {"cause": cause})
                case Report(name, leg, measures):
                    self._place.journal.append(self.facts.call_id, name, leg, **measures)
                case Ended():
                    self._record_end(effect, media)
                case command:
                    on_reply = partial(self._take_reply, command)
                    self._place.link.submit(command.request(), on_reply)

    def _take_reply(self, command: Command, response: Response | None) -> None:
        self.take(Replied(command, response))

    def _record_end(self, ended: Ended, media: MediaPort) -> None:
        self.is_over = True
        measures: dict[str, Scalar] = {
            **media.statistics(),
            "cause": ended.cause,
            "duration_ms": ended.duration_ms,
            "is_clean": ended.is_clean,
            "frames_unheard": self._line.dropped_frames,
        }
        self._place.journal.append(self.facts.call_id, "call.ended", "bridge", **measures)

    async def _converse(self) -> None:
        self._line.open()
        failure = await failure_of(self._place.bot.converse(self._line), what="the bot")
        if failure is None:
            await asyncio.sleep(_LAST_WORDS_S)
            self.take(BotFinished("bot_hung_up"))
            return
        self._report_bot_event("bot.failed", {"error": type(failure).__name__})
        self.take(BotFinished("bot_unavailable"))

    def _stop_bot(self) -> None:
        self._line.close()
        if self._bot_task is not None:
            self._bot_task.cancel()

    async def _exchange_media(self, media: MediaPort) -> None:
        exchange = media.run(self._line.deliver, self._line.next_frame)
        await failure_of(exchange, what="the call's media")
        self.take(MediaFailed())

    async def _await_first_packet(self, media: MediaPort) -> None:
        await media.received_first_packet()
        self.take(MediaVerified())

    async def _heed(self, wishes: Subscription) -> None:
        async for message in wishes:
            self.take(HangUpAsked(cause_of(message.data.get("cause"), "visitor_hung_up")))

    def _publish_caption(
        self, speaker: Speaker, utterance_id: str, text: str, is_final: bool
    ) -> None:
        caption = {
            "speaker": speaker,
            "utterance_id": utterance_id,
            "text": text,
            "final": is_final,
        }
        self._publish("caption", caption)

    def _publish(self, topic: str, content: dict[str, Json]) -> None:
        self._place.bus.publish(BusMessage(topic, self.facts.call_id, content))

    def _report_bot_event(self, name: str, measures: dict[str, Scalar]) -> None:
        self._place.journal.append(self.facts.call_id, name, "bot", **measures)
