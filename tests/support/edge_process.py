"""Real edge processes, as ``up`` starts them, with a Janus that a test plays and living parts."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from support.edge_rig import ORIGIN, PLENTY, SECRETS
from support.fake_janus import FakeJanus, fake_janus
from talkbutton.edge.server import listen
from talkbutton.runtime.aio.janus_link import janus_login
from talkbutton.runtime.bus import BusMessage, LocalBus
from talkbutton.settings.encode import encode_toml
from talkbutton.settings.model import (
    ChallengeSettings,
    EdgeSettings,
    JanusSettings,
    LimitsSettings,
    NetworkSettings,
    Settings,
    SiteLimits,
    SiteSettings,
)

__all__ = ["EdgeProcess", "free_port", "many_calls", "running_edges"]

_READY_MAX_S = 20.0
_MASTER_ID = 5


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with listen("127.0.0.1", 0) as listener:
        return int(listener.getsockname()[1])


def many_calls(limits: LimitsSettings, **site: int) -> Settings:
    """Return settings with these limits, plenty of everything else, and no challenge."""
    plenty = {**PLENTY.model_dump(), "calls_max": 1_000, "sessions_per_minute": 1_000_000}
    plenty |= {"sessions_per_address_and_minute": 1_000_000}
    return Settings(
        version=1,
        edge=EdgeSettings(public_url="https://talk.example", sockets_per_address_max=5_000),
        network=NetworkSettings(media_address="198.51.100.7"),
        limits=limits.model_copy(update={"calls_max": 100_000, "sessions_per_minute": 1_000_000}),
        sites={
            "default": SiteSettings(
                allowed_origins=(ORIGIN,),
                limits=SiteLimits.model_validate({**plenty, **site}),
                challenge=ChallengeSettings(when="never"),
            )
        },
    )


@dataclass
class EdgeProcess:
    """One ``talkbutton edge``."""

    port: int
    process: subprocess.Popen[bytes]
    janus: FakeJanus

    def kill(self) -> None:
        """Let it die in mid-word."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


@asynccontextmanager
async def running_edges(
    folder: Path, settings: Settings, count: int
) -> AsyncIterator[list[EdgeProcess]]:
    """Run so many edges that share one state folder, and what they need to take calls."""
    state = folder / "state"
    state.mkdir()
    async with AsyncExitStack() as stack:
        janus = await stack.enter_async_context(fake_janus(janus_login(SECRETS)))
        janus.masters[_MASTER_ID] = 0
        settings = settings.model_copy(update={"janus": JanusSettings(api_port=janus.port)})
        edges = [
            stack.enter_context(_started(folder, state, settings, janus)) for _ in range(count)
        ]
        beating = asyncio.create_task(_beat(state / "bus"))
        try:
            for edge in edges:
                await _until_ready(edge)
            yield edges
        finally:
            beating.cancel()


@contextmanager
def _started(
    folder: Path, state: Path, settings: Settings, janus: FakeJanus
) -> Iterator[EdgeProcess]:
    port = free_port()
    edge = settings.edge.model_copy(update={"port": port})
    own = folder / f"edge-{port}"
    own.mkdir()
    own_settings = settings.model_copy(update={"edge": edge})
    _write(own / "talkbutton.toml", own_settings.model_dump(exclude_none=True))
    secrets = {
        name: secret.get_secret_value()
        for name in type(SECRETS).model_fields
        if (secret := getattr(SECRETS, name)) is not None
    }
    _write(own / "secrets.toml", secrets)
    command = [sys.executable, "-m", "talkbutton", "edge"]
    command += ["--settings", str(own / "talkbutton.toml")]
    command += ["--secrets", str(own / "secrets.toml"), "--state", str(state)]
    with (own / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=_environment())
    try:
        yield EdgeProcess(port, process, janus)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def _write(path: Path, document: dict[str, object]) -> None:
    path.write_text(encode_toml(document))
    path.chmod(0o600)


def _environment() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if not name.startswith("TALKBUTTON_")}


async def _beat(folder: Path) -> None:
    """Send the heartbeats of a keeper and a bridge that are well."""
    bus = LocalBus(folder, "world")
    bus.open()
    keeper = {"janus": "default", "master_id": _MASTER_ID, "username": "sip:talkbutton@x"}
    status = {"ready": True, "line_ready": True, "bot_ready": True, "calls": 0}
    try:
        while True:
            bus.publish(BusMessage("keeper.identity", None, {**keeper, "ready": True}))
            bus.publish(BusMessage("bridge.status", None, status))
            await asyncio.sleep(0.2)
    finally:
        bus.close()


async def _until_ready(edge: EdgeProcess) -> None:
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{edge.port}", trust_env=False) as http,
        asyncio.timeout(_READY_MAX_S),
    ):
        while True:
            assert edge.process.poll() is None, "the edge ended; see its log"
            try:
                if (await http.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
