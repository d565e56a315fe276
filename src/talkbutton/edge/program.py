"""``talkbutton edge``: the public program, until cancelled.

Cancelled, it takes no new visitors, closes the sockets of those who are there, whose calls are
thereby hung up, and only then lets go of Janus.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from talkbutton.edge.app import create_app
from talkbutton.edge.challenge import check_provider_secret
from talkbutton.edge.context import EdgeContext
from talkbutton.edge.gateway import JanusGateway
from talkbutton.edge.presence import Presence
from talkbutton.edge.server import listen, serve
from talkbutton.edge.tls import Certificate
from talkbutton.errors import SettingsError
from talkbutton.runtime.aio.hangup import on_hangup
from talkbutton.runtime.aio.janus_link import janus_login
from talkbutton.runtime.bus import LocalBus
from talkbutton.runtime.journal import Journal
from talkbutton.runtime.ledger import Ledger, make_ledger
from talkbutton.settings.model import EdgeSecrets, EdgeSettings, Settings

__all__ = ["run"]


async def run(
    settings: Settings,
    secrets: EdgeSecrets,
    state_dir: Path,
    reread: Callable[[], EdgeSecrets] | None = None,
) -> None:
    """Serve visitors until cancelled.

    Args:
        settings: The deployment's settings, with ``network.media_address`` resolved.
        secrets: What the edge may know.
        state_dir: Folder with the bus, the journal and the ledger.
        reread: Returns the secrets as they are now; asked on SIGHUP.

    Raises:
        SettingsError: If ``network.media_address`` is not an address, or a site's challenge lacks
            its secret.
        StackError: If the port is taken, or the journal or ledger cannot be opened.
    """
    media_address = settings.network.media_address
    if media_address == "auto":
        raise SettingsError(
            "network.media_address",
            "is not resolved",
            hint="start the edge with `talkbutton up`, or set the address",
        )
    check_provider_secret(settings, secrets)
    certificate = _certificate(settings.edge)
    with listen(settings.edge.listen_address, settings.edge.port) as listener:
        async with (
            _opened(state_dir, f"edge-{settings.edge.port}") as (journal, bus),
            _counting(settings, secrets, state_dir) as ledger,
        ):
            gateway = JanusGateway(settings, janus_login(secrets))
            presence = Presence(bus, is_gateway_ready=lambda: gateway.is_ready)
            context = EdgeContext(
                settings, secrets, gateway, bus, journal, presence, media_address, ledger
            )
            async with asyncio.TaskGroup() as tasks:
                for work in (journal.run(), presence.run(), gateway.run()):
                    tasks.create_task(work)
                if reread is not None:
                    tasks.create_task(on_hangup(reread, context.take_secrets))
                await serve(
                    create_app(context), listener, edge=settings.edge, certificate=certificate
                )


def _certificate(edge: EdgeSettings) -> Certificate | None:
    if edge.tls_certificate is None or edge.tls_key is None:
        return None
    return Certificate(Path(edge.tls_certificate), Path(edge.tls_key))


@asynccontextmanager
async def _opened(state_dir: Path, name: str) -> AsyncIterator[tuple[Journal, LocalBus]]:
    journal = Journal(state_dir / "journal.sqlite", program="edge")
    await journal.open()
    bus = LocalBus(state_dir / "bus", name)  # the edges of one machine differ by their ports
    bus.open()
    try:
        yield journal, bus
    finally:
        bus.close()
        await journal.close()


@asynccontextmanager
async def _counting(
    settings: Settings, secrets: EdgeSecrets, state_dir: Path
) -> AsyncIterator[Ledger]:
    password = secrets.redis_password
    ledger = make_ledger(
        settings.limits,
        state_dir=state_dir,
        redis_password=None if password is None else password.get_secret_value(),
    )
    await ledger.open()
    try:
        yield ledger
    finally:
        await ledger.close()
