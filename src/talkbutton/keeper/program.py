"""The keeper: holds the SIP identity that the edge's calls borrow, and knows its password.

It keeps one master handle in Janus, makes a new one when the handle dies or Janus starts anew,
and says on the bus, once a second and at every change, which one to borrow.
"""

import asyncio
import logging
from pathlib import Path

from talkbutton.protocols.janus import Lost, MasterReady, News, Refused, SipIdentity, SipMaster
from talkbutton.runtime.aio.janus_link import JanusLink, janus_login
from talkbutton.runtime.bus import BusMessage, LocalBus
from talkbutton.settings.addresses import SIP_USER, janus_api_url, sip_uri
from talkbutton.settings.model import KeeperSecrets, Settings

__all__ = ["IDENTITY_TOPIC", "Keeper", "run"]

IDENTITY_TOPIC = "keeper.identity"

_log = logging.getLogger(__name__)

_HEARTBEAT_S = 1.0
_REMAKE_WAIT_S = 0.2
_JANUS_NAME = "default"


async def run(settings: Settings, secrets: KeeperSecrets, state_dir: Path) -> None:
    """Keep the identity until cancelled.

    Raises:
        SettingsError: If the SIP password is one that Janus cannot pass on.
    """
    identity = SipIdentity(
        sip_uri(settings, SIP_USER),
        sip_uri(settings),
        secrets.sip_password.get_secret_value(),
    )
    link = JanusLink(janus_api_url(settings), janus_login(secrets))
    bus = LocalBus(state_dir / "bus", "keeper")
    bus.open()
    try:
        await Keeper(identity, link, bus).run()
    finally:
        bus.close()


class Keeper:
    """Keeps one master on one Janus, and tells the bus about it."""

    def __init__(self, identity: SipIdentity, link: JanusLink, bus: LocalBus) -> None:
        self._identity = identity
        self._link = link
        self._bus = bus
        self._master: MasterReady | None = None

    async def run(self) -> None:
        """Keep it until cancelled; the last word on the bus is that it is not ready."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._link.run())
                tasks.create_task(self._keep_master())
                tasks.create_task(self._beat())
        finally:
            self._set_master(None)

    async def _keep_master(self) -> None:
        while True:
            await self._link.wait_ready()
            heard: asyncio.Queue[News] = asyncio.Queue()
            self._link.add(SipMaster(self._identity), heard.put_nowait)
            await self._follow(heard)
            await asyncio.sleep(_REMAKE_WAIT_S)

    async def _follow(self, heard: asyncio.Queue[News]) -> None:
        """Follow one master to its end."""
        while True:
            match await heard.get():
                case MasterReady() as master:
                    self._set_master(master)
                    _log.info("the SIP identity is ready as master %d", master.master_id)
                case Refused(janus_code, reason):
                    self._set_master(None)
                    _log.error("Janus refuses the SIP identity: %s (%d)", reason, janus_code)
                    return
                case Lost(cause):
                    self._set_master(None)
                    _log.warning("the SIP identity is lost (%s); making it anew", cause)
                    return

    async def _beat(self) -> None:
        while True:
            self._publish()
            await asyncio.sleep(_HEARTBEAT_S)

    def _set_master(self, master: MasterReady | None) -> None:
        self._master = master
        self._publish()

    def _publish(self) -> None:
        content = {
            "janus": _JANUS_NAME,
            "master_id": None if self._master is None else self._master.master_id,
            "username": self._identity.username,
            "ready": self._master is not None,
        }
        self._bus.publish(BusMessage(IDENTITY_TOPIC, None, content))
