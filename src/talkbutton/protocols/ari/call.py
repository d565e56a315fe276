"""One call's life in Stasis, without I/O.

    NEW -> SETTING_UP -> VERIFYING -> TALKING
      any of these -- far hang-up, limit, failure, refusal --> ENDING -> ENDED

SETTING_UP: the caller is answered, a mixing bridge and an ExternalMedia channel are made at once; a
channel joins the bridge after its own ``StasisStart`` only. VERIFYING: both are in; audio from
Asterisk must arrive before the bot speaks, or its greeting is cut. ENDING: the cause is announced,
the bot stopped, the caller hung up, the media channel hung up, the bridge destroyed: in this order,
once. A broken ARI socket does not end a call that talks: its media flows on.

Times are monotonic seconds supplied by the caller as ``now``.

Source: docs.asterisk.org, "External Media and ARI"; watched on Asterisk 22.10.
"""

import enum
from typing import assert_never

from talkbutton.protocols.ari.commands import (
    AddChannel,
    Answer,
    Command,
    CreateBridge,
    CreateExternalMedia,
    DestroyBridge,
    GetVariable,
    HangUp,
)
from talkbutton.protocols.ari.events import (
    ChannelDestroyed,
    ChannelHangupRequest,
    StasisEnd,
    StasisStart,
)
from talkbutton.protocols.ari.media_address import MediaAddress
from talkbutton.protocols.ari.messages import Json, Response
from talkbutton.protocols.ari.names import bridge_id_of, media_channel_id_of
from talkbutton.protocols.ari.steps import (
    Announce,
    BotFinished,
    CallTiming,
    Cause,
    Effect,
    Ended,
    HangUpAsked,
    Input,
    LinkLost,
    LinkRestored,
    MediaFailed,
    MediaVerified,
    PinPeer,
    Replied,
    Report,
    StartBot,
    StopBot,
    WarnBot,
)

__all__ = ["AriCall", "CallState"]


class CallState(enum.Enum):
    """Where the call is in its life."""

    NEW = "new"
    SETTING_UP = "setting_up"
    VERIFYING = "verifying"
    TALKING = "talking"
    ENDING = "ending"
    ENDED = "ended"


class AriCall:
    """Sets one call up in Asterisk, watches it, and takes it down.

    Args:
        call_id: The call's id; names what is made.
        channel_id: The caller's channel, which is in Stasis.
        external_host: ``address:port`` where the bridge receives media.
        media_format: Asterisk's name of the format, such as ``ulaw``.
        duration_max_s: The call ends after so many seconds.
        warning_s: The bot is told so many seconds before that; 0 for never.
        timing: How long it waits for what.
    """

    def __init__(
        self,
        *,
        call_id: str,
        channel_id: str,
        external_host: str,
        media_format: str,
        duration_max_s: float,
        warning_s: int = 0,
        timing: CallTiming | None = None,
    ) -> None:
        self.state = CallState.NEW
        self.media_channel_id = media_channel_id_of(call_id)
        self._caller_id = channel_id
        self._bridge_id = bridge_id_of(call_id)
        self._external_host = external_host
        self._media_format = media_format
        self._duration_max_s = duration_max_s
        self._warning_s = warning_s
        self._timing = timing or CallTiming()
        self._timers: dict[str, float] = {}
        self._started_at = self._joined_at = 0.0
        self._ready: set[str] = set()  # channels that may join the bridge
        self._joining: set[str] = set()  # channels that were asked to join
        self._joined: set[str] = set()
        self._has_bridge = self._has_media = False
        self._address = MediaAddress()
        self._destroyed: set[str] = set()  # channels that are known to be gone
        self._teardown: set[Command] = set()  # not yet confirmed
        self._ended = Ended("internal", 0, is_clean=False)

    @property
    def deadline(self) -> float | None:
        """When ``handle_timeout`` is due next."""
        return min(self._timers.values(), default=None)

    def start(self, *, now: float) -> list[Effect]:
        """Set the call up. Valid once, after the caller's ``StasisStart``."""
        assert self.state is CallState.NEW, self.state
        self.state = CallState.SETTING_UP
        self._started_at = now
        self._timers = {
            "setup": now + self._timing.setup_max_s,
            "duration": now + self._duration_max_s,
        }
        if 0 < self._warning_s < self._duration_max_s:
            self._timers["warning"] = now + self._duration_max_s - self._warning_s
        return [
            Answer(self._caller_id),
            CreateBridge(self._bridge_id),
            CreateExternalMedia(self.media_channel_id, self._external_host, self._media_format),
        ]

    def receive(self, step: Input, *, now: float) -> list[Effect]:
        """Take one input; what does not matter in this state changes nothing."""
        match self.state, step:
            case CallState.NEW | CallState.ENDED, _:
                return []
            case CallState.ENDING, Replied(command):
                self._teardown.discard(command)
                return [] if self._teardown else self._finish(is_clean=True)
            case CallState.ENDING, _:
                return []
            case _, Replied(command, response):
                return self._receive_reply(command, response, now)
            case _, LinkLost() | LinkRestored():
                return self._receive_link(step, now)
            case _, MediaVerified():
                self._has_media = True
                return self._advance(now)
            case _, MediaFailed():
                return self._end("media_lost", now)
            case _, BotFinished(cause) | HangUpAsked(cause):
                return self._end(cause, now)
            case _:
                return self._receive_event(step, now)

    def handle_timeout(self, *, now: float) -> list[Effect]:
        """Act on every time limit that has passed."""
        effects: list[Effect] = []
        due = sorted((at, name) for name, at in self._timers.items() if at <= now)
        for _, name in due:
            if self._timers.pop(name, None) is not None:
                effects += self._expire(name, now)
        return effects

    def _expire(self, timer: str, now: float) -> list[Effect]:
        match timer:
            case "ask_again":
                return self._ask_for_address()
            case "media_late":
                return [Report("media.went_silent", "asterisk", {"wait_ms": self._since_join(now)})]
            case "media_wait":
                return self._end("media_lost", now)
            case "warning":
                return [WarnBot(self._warning_s)]
            case "duration":
                return self._end("duration_limit", now)
            case "teardown":
                return self._finish(is_clean=False)
            case _:  # setup, link
                return self._end("line_unavailable", now)

    def _receive_event(self, step: Input, now: float) -> list[Effect]:
        match step:
            case StasisStart(channel_id):
                if channel_id != self.media_channel_id:
                    return []
                self._ready.add(channel_id)
                return self._advance(now)
            case ChannelDestroyed(channel_id):
                self._destroyed.add(channel_id)
                return self._lose_channel(channel_id, now)
            case StasisEnd(channel_id) | ChannelHangupRequest(channel_id):
                return self._lose_channel(channel_id, now)
            case _:
                return []

    def _lose_channel(self, channel_id: str, now: float) -> list[Effect]:
        if channel_id == self._caller_id:
            return self._end("visitor_hung_up", now)
        return self._end("media_lost", now) if channel_id == self.media_channel_id else []

    def _receive_link(self, step: LinkLost | LinkRestored, now: float) -> list[Effect]:
        if isinstance(step, LinkLost):
            self._timers["link"] = now + self._timing.link_wait_max_s
            return []
        self._timers.pop("link", None)
        if self._caller_id not in step.channel_ids:
            return self._end("line_unavailable", now)
        if self.media_channel_id in self._joined - step.channel_ids:
            return self._end("media_lost", now)
        return []

    def _receive_reply(
        self, command: Command, response: Response | None, now: float
    ) -> list[Effect]:
        if response is None:
            return self._end("line_unavailable", now)
        if not response.is_success:
            return self._receive_refusal(command, response, now)
        return [*self._take_success(command, response.body, now), *self._advance(now)]

    def _receive_refusal(self, command: Command, response: Response, now: float) -> list[Effect]:
        if isinstance(command, GetVariable):
            return self._take_address(None, now)
        report = Report(
            "line.request_refused",
            "asterisk",
            {
                "command": type(command).__name__,
                "status": response.status,
                "reason": response.reason,
            },
        )
        is_about_caller = command in (
            Answer(self._caller_id),
            AddChannel(self._bridge_id, self._caller_id),
        )
        is_gone = is_about_caller and response.status < 500
        return [report, *self._end("visitor_hung_up" if is_gone else "line_unavailable", now)]

    def _take_success(self, command: Command, body: Json, now: float) -> list[Effect]:
        wait_ms = round((now - self._started_at) * 1000)
        match command:
            case Answer(channel_id):
                self._ready.add(channel_id)
                return [Report("channel.answered", "asterisk", {"wait_ms": wait_ms})]
            case CreateBridge():
                self._has_bridge = True
                technology = body.get("technology") if isinstance(body, dict) else None
                return [Report("bridge.created", "asterisk", {"technology": str(technology)})]
            case CreateExternalMedia(channel_id, _, media_format):
                started = Report(
                    "external_media.started",
                    "asterisk",
                    {"channel_id": channel_id, "format": media_format, "wait_ms": wait_ms},
                )
                variables = body.get("channelvars") if isinstance(body, dict) else None
                return [started, *self._take_address(variables, now)]
            case AddChannel(_, channel_id):
                self._joined.add(channel_id)
                return []
            case GetVariable(_, name):
                value = body.get("value") if isinstance(body, dict) else None
                return self._take_address({name: value}, now)
            case HangUp() | DestroyBridge():
                return []
            case _:
                assert_never(command)

    def _take_address(self, variables: Json, now: float) -> list[Effect]:
        """Note what is known of Asterisk's media address; pin it when complete."""
        if self._address.complete:
            return []
        self._address.take(variables)
        if self._address.complete is None:
            self._timers["ask_again"] = now + self._timing.ask_again_s
            return []
        host, port = self._address.complete
        self._timers.pop("ask_again", None)
        started = Report("media.started", "bridge", {"peer_host": host, "peer_port": port})
        return [PinPeer(host, port), started]

    def _ask_for_address(self) -> list[Effect]:
        return [GetVariable(self.media_channel_id, name) for name in self._address.missing]

    def _advance(self, now: float) -> list[Effect]:
        """Take the next step that has become possible."""
        effects: list[Effect] = []
        if self._has_bridge:
            for channel_id in sorted(self._ready - self._joining):
                self._joining.add(channel_id)
                effects.append(AddChannel(self._bridge_id, channel_id))
        has_all = len(self._joined) == 2 and self._address.complete
        if self.state is CallState.SETTING_UP and has_all:
            self.state = CallState.VERIFYING
            self._joined_at = now
            del self._timers["setup"]
            self._timers["media_late"] = now + self._timing.media_late_s
            self._timers["media_wait"] = now + self._timing.media_wait_max_s
        if self.state is CallState.VERIFYING and self._has_media:
            self.state = CallState.TALKING
            self._timers.pop("media_late", None)
            del self._timers["media_wait"]
            measures = {"wait_ms": self._since_join(now)}
            effects += [Report("media.verified", "bridge", measures), StartBot()]
        return effects

    def _since_join(self, now: float) -> int:
        return round((now - self._joined_at) * 1000)

    def _end(self, cause: Cause, now: float) -> list[Effect]:
        if self.state in (CallState.ENDING, CallState.ENDED):
            return []
        self.state = CallState.ENDING
        self._ended = Ended(cause, round((now - self._started_at) * 1000), is_clean=False)
        self._timers = {"teardown": now + self._timing.teardown_max_s}
        channels = [self._caller_id, self.media_channel_id]
        commands: list[Command] = [
            HangUp(channel_id) for channel_id in channels if channel_id not in self._destroyed
        ]
        commands.append(DestroyBridge(self._bridge_id))
        self._teardown = set(commands)
        return [Announce(cause), StopBot(), *commands]

    def _finish(self, *, is_clean: bool) -> list[Effect]:
        self.state = CallState.ENDED
        self._timers = {}
        return [Ended(self._ended.cause, self._ended.duration_ms, is_clean=is_clean)]
