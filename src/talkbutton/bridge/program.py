"""``talkbutton bridge``: joins callers in Asterisk to the bot, until cancelled.

Cancelled, it hangs up all calls, ends whatever is left in Asterisk, and only then lets go of the
ARI socket.
"""

import asyncio
import logging
import os
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from talkbutton.bots.echo import EchoBot
from talkbutton.bots.interface import Bot
from talkbutton.bridge.ari_link import AriAddress, AriLink, LinkEvents
from talkbutton.bridge.call import CallPlace
from talkbutton.bridge.media import rtp_opener
from talkbutton.bridge.media_port import OpenMedia
from talkbutton.bridge.switchboard import Switchboard, SwitchboardRules
from talkbutton.bridge.tickets import TicketDesk
from talkbutton.errors import BotError
from talkbutton.ids import CALL_ID_RANDOM_BYTES, make_call_id
from talkbutton.protocols.ari.steps import CallTiming
from talkbutton.runtime.aio.backoff import Backoff
from talkbutton.runtime.aio.hangup import on_hangup
from talkbutton.runtime.bus import BusMessage, LocalBus
from talkbutton.runtime.journal import Journal
from talkbutton.settings.model import BridgeSecrets, Settings

__all__ = ["make_bot", "run", "serve"]

_log = logging.getLogger("talkbutton.bridge")

_ARI_USER = "bridge"
_STATUS_EVERY_S = 1.0


async def run(
    settings: Settings,
    secrets: BridgeSecrets,
    state_dir: Path,
    reread: Callable[[], BridgeSecrets] | None = None,
) -> None:
    """Serve calls until cancelled, with the bot and the media that the settings name.

    Args:
        settings: The deployment's settings.
        secrets: What the bridge may know.
        state_dir: Folder with the bus and the journal.
        reread: Returns the secrets as they are now; asked on SIGHUP.

    Raises:
        StackError: If the journal cannot be opened.
    """
    bot = make_bot(settings, state_dir)
    media = rtp_opener(settings)
    await serve(settings, secrets, state_dir, bot=bot, open_media=media, reread=reread)


async def serve(
    settings: Settings,
    secrets: BridgeSecrets,
    state_dir: Path,
    *,
    bot: Bot,
    open_media: OpenMedia,
    timing: CallTiming | None = None,
    reread: Callable[[], BridgeSecrets] | None = None,
) -> None:
    """Serve calls until cancelled.

    Args:
        settings: The deployment's settings.
        secrets: What the bridge may know.
        state_dir: Folder with the bus and the journal.
        bot: What talks.
        open_media: Opens a media port for a call.
        timing: How long calls wait for what.
        reread: Returns the secrets as they are now; asked on SIGHUP.

    Raises:
        StackError: If the journal cannot be opened.
    """
    link = AriLink(
        AriAddress(
            settings.network.private_address,
            settings.asterisk.http_port,
            _ARI_USER,
            secrets.ari_password.get_secret_value(),
        ),
        backoff=Backoff(first_s=0.2, max_s=5.0, random=random.random),
    )
    async with _opened(state_dir, bot) as (journal, bus):
        place = CallPlace(
            link=link,
            bus=bus,
            journal=journal,
            bot=bot,
            open_media=open_media,
            media_format=settings.bridge.codec,
            timing=timing or CallTiming(),
        )
        desk = TicketDesk(_ticket_keys(secrets), started_unix=time.time())
        rules = SwitchboardRules(settings.bridge.calls_max, _new_call_id)
        await _switch(place, desk, rules, reread)


def _ticket_keys(secrets: BridgeSecrets) -> list[str]:
    keys = (secrets.ticket_key, secrets.ticket_key_previous)
    return [key.get_secret_value() for key in keys if key is not None]


def make_bot(settings: Settings, state_dir: Path) -> Bot:
    """Return the bot that the settings name, not yet opened."""
    if settings.bot.kind == "echo":
        return EchoBot()
    from talkbutton.bots.local.bot import LocalBot

    return LocalBot(
        settings.bot,
        knowledge_dir=Path(settings.bot.knowledge_dir),
        speech_dir=state_dir / "speech",
        cache_dir=state_dir / "cache",
    )


@asynccontextmanager
async def _opened(state_dir: Path, bot: Bot) -> AsyncIterator[tuple[Journal, LocalBus]]:
    journal = Journal(state_dir / "journal.sqlite", program="bridge")
    await journal.open()
    bus = LocalBus(state_dir / "bus", "bridge")
    bus.open()
    try:
        yield journal, bus
    finally:
        bus.close()
        await bot.close()
        await journal.close()


async def _switch(
    place: CallPlace,
    desk: TicketDesk,
    rules: SwitchboardRules,
    reread: Callable[[], BridgeSecrets] | None,
) -> None:
    """Run the calls inside of what they need: link and journal end after the last of them."""
    async with asyncio.TaskGroup() as background, asyncio.TaskGroup() as calls:
        background.create_task(place.journal.run())
        board = Switchboard(place, desk, rules, calls)
        status = _Status(place, board)
        try:
            background.create_task(place.link.run(status.link_events()))
            background.create_task(status.run())
            if reread is not None:
                background.create_task(
                    on_hangup(reread, lambda new: desk.change_keys(_ticket_keys(new)))
                )
            await _open_bot(place.bot)
            board.is_bot_ready = True
            status.tell()
            await asyncio.Event().wait()
        finally:
            board.is_bot_ready = False
            status.tell_last()
            await board.close()


async def _open_bot(bot: Bot) -> None:
    """Open the bot, as often as it takes: what it needs may still be starting."""
    backoff = Backoff(first_s=0.5, max_s=5.0, random=random.random)
    while True:
        try:
            await bot.open()
        except BotError as exc:
            wait_s = backoff.next_s()
            _log.error("the bot cannot work, next attempt in %.1f s: %s", wait_s, exc)
            await asyncio.sleep(wait_s)
        else:
            _log.info("the bot is ready")
            return


class _Status:
    """Tells the other programs whether a call could come now: each second, and when it changes."""

    def __init__(self, place: CallPlace, board: Switchboard) -> None:
        self._place = place
        self._board = board
        self._has_told_last = False

    def tell_last(self) -> None:
        """Say that the bot is leaving; the link, which goes with it, is not to blame."""
        self.tell()
        self._has_told_last = True

    def tell(self) -> None:
        if self._has_told_last:
            return
        is_line_ready, is_bot_ready = self._place.link.is_up, self._board.is_bot_ready
        status = {
            "ready": is_line_ready and is_bot_ready and self._board.has_room,
            "line_ready": is_line_ready,
            "line_free": not self._place.link.is_taken_over,
            "bot_ready": is_bot_ready,
            "calls": self._board.calls_count,
        }
        self._place.bus.publish(BusMessage("bridge.status", None, status))

    async def run(self) -> None:
        while True:
            self.tell()
            await asyncio.sleep(_STATUS_EVERY_S)

    def link_events(self) -> LinkEvents:
        return LinkEvents(self._link_up, self._link_down, self._board.on_event)

    def _link_up(self) -> None:
        self._board.on_link_up()
        self.tell()

    def _link_down(self) -> None:
        self._board.on_link_down()
        self.tell()


def _new_call_id() -> str:
    return make_call_id(
        now_unix_ms=int(time.time() * 1000), random_bytes=os.urandom(CALL_ID_RANDOM_BYTES)
    )
