"""The whole stack as a user starts it: ``talkbutton up`` in a folder of its own."""

import asyncio
import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
import urllib.error
import urllib.request
import xmlrpc.client
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from supervisor.xmlrpc import SupervisorTransport

from talkbutton.bots.local.knowledge import SAMPLE_KNOWLEDGE_DIR
from talkbutton.events import CallEvent
from talkbutton.runtime.bus import LocalBus
from talkbutton.runtime.journal import JournalReader

T = TypeVar("T")

START_DEADLINE_S = 180.0
STOP_DEADLINE_S = 30.0
LOOPBACK = "127.0.0.1"


def wait_until(what: str, is_true: Callable[[], bool], *, deadline_s: float) -> float:
    """Look until the condition holds; return the seconds it took, or fail naming it."""
    started = time.monotonic()
    while not is_true():
        waited_s = time.monotonic() - started
        assert waited_s < deadline_s, f"{what}: not so after {deadline_s:.0f} s"
        time.sleep(0.02)
    return time.monotonic() - started


def run_beside(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run async work to its end from a thread whose own loop is taken, as Playwright's is."""
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(lambda: asyncio.run(work())).result()


def settings_text(
    base: int,
    *,
    host: str = LOOPBACK,
    edge_port: int | None = None,
    bot: str = "",
    site: str = "",
    limits: str = "",
    turn: str = "",
) -> str:
    """Return a settings file whose ports all lie within 1,000 from ``base``, but for the edge's.

    A ``host`` other than loopback is the address that visitors reach everything on.
    """
    media_address = "auto" if host == LOOPBACK else host
    edge_port = edge_port or base
    return f"""version = 1
[network]
media_address = "{media_address}"
[edge]
listen_address = "{host}"
port = {edge_port}
public_url = "http://{host}:{edge_port}"
sockets_per_address_max = 200
[sites.default]
allowed_origins = ["http://{host}:{edge_port}"]
{site}
[sites.default.limits]
sessions_per_address_and_minute = 6000
{limits}
[turn]
port = {base + 1}
tls_port = {base + 2}
{turn}
relay_ports = {{ first = {base + 100}, last = {base + 199} }}
[janus]
api_port = {base + 3}
rtp_ports = {{ first = {base + 200}, last = {base + 399} }}
sip_rtp_ports = {{ first = {base + 400}, last = {base + 599} }}
[asterisk]
sip_port = {base + 4}
http_port = {base + 5}
rtp_ports = {{ first = {base + 600}, last = {base + 799} }}
[bridge]
rtp_ports = {{ first = {base + 800}, last = {base + 999} }}
[bot]
{bot}
"""


@dataclass
class Stack:
    """One running ``talkbutton up``.

    Attributes:
        folder: Where talkbutton.toml and the state are.
        base: First of its ports; the edge's, unless that has another.
        host: Address that visitors reach it on.
        inside: Command line that runs what follows where the stack is to run, such as in a
            network namespace.
        edge_port: The edge's port, if it is not ``base``.
    """

    folder: Path
    base: int
    host: str = LOOPBACK
    inside: Sequence[str] = ()
    edge_port: int | None = None
    output: list[str] = field(default_factory=list)
    _up: subprocess.Popen[str] | None = None
    _reader: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.edge_port or self.base}"

    @classmethod
    def make(
        cls,
        folder: Path,
        base: int,
        *,
        host: str = LOOPBACK,
        inside: Sequence[str] = (),
        edge_port: int | None = None,
        **more: str,
    ) -> "Stack":
        """Lay out a folder as its owner has it: settings and the sample knowledge."""
        (folder / "talkbutton.toml").write_text(
            settings_text(base, host=host, edge_port=edge_port, **more)
        )
        shutil.copytree(SAMPLE_KNOWLEDGE_DIR, folder / "knowledge")
        return cls(folder, base, host, inside, edge_port)

    def start(self, *arguments: str) -> float:
        """Run ``talkbutton up`` and wait for the URL; return the seconds it took."""
        self.output.clear()
        self._up = subprocess.Popen(
            [*self.inside, sys.executable, "-m", "talkbutton", "up", *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={**os.environ, "NO_COLOR": "1"},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            return wait_until("the stack prints its URL", self._is_up, deadline_s=START_DEADLINE_S)
        except AssertionError as failed:
            self.stop()
            raise AssertionError(f"{failed}\n" + "".join(self.output[-40:])) from None

    def _read(self) -> None:
        assert self._up is not None
        assert self._up.stdout is not None
        self.output.extend(self._up.stdout)

    def _read_on(self, line: str) -> bool:
        return any(line in written for written in list(self.output))

    def _is_up(self) -> bool:
        assert self._up is not None
        assert self._up.poll() is None, "talkbutton up ended:\n" + "".join(self.output[-40:])
        return self._read_on(f"Open {self.url}")

    def stop(self) -> int:
        """Press Ctrl-C, wait, and return the exit status."""
        if self._up is None:
            return 0
        process, self._up = self._up, None
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            status = process.wait(STOP_DEADLINE_S)
        finally:
            process.kill()
            assert self._reader is not None
            self._reader.join(5)
            if process.stdout is not None:
                process.stdout.close()
        return status

    def run(self, *arguments: str) -> str:
        """Run another talkbutton command in the same folder and return what it prints."""
        return subprocess.run(
            [sys.executable, "-m", "talkbutton", *arguments],
            cwd=self.folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout

    def secret(self, name: str) -> str:
        """Return one of the generated secrets."""
        secrets = tomllib.loads((self.folder / "talkbutton.secrets.toml").read_text())
        value = secrets[name]
        assert isinstance(value, str)
        return value

    def ari(self, path: str) -> Any:
        """Return what Asterisk's REST interface answers."""
        credentials = base64.b64encode(f"bridge:{self.secret('ari_password')}".encode()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.base + 5}/ari/{path}",
            headers={"Authorization": f"Basic {credentials}"},
        )
        with urllib.request.urlopen(request, timeout=5) as response:
            return json.load(response)

    def is_ready(self) -> bool:
        """Whether a call could be started now."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    @contextmanager
    def _supervisor(self) -> Iterator[Any]:
        socket_path = self.folder / ".talkbutton" / "run" / "supervisor.sock"
        transport = SupervisorTransport(None, None, serverurl=f"unix://{socket_path}")
        with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as proxy:
            yield proxy.supervisor

    def _process(self, part: str) -> dict[str, Any]:
        with self._supervisor() as supervisor:
            [row] = [row for row in supervisor.getAllProcessInfo() if row["name"] == part]
        assert isinstance(row, dict)
        return row

    def stop_part(self, part: str) -> None:
        """Stop one part and keep it stopped."""
        name = f"{self._process(part)['group']}:{part}"
        with self._supervisor() as supervisor:
            supervisor.stopProcess(name)

    def start_part(self, part: str) -> None:
        """Start a part that was stopped."""
        name = f"{self._process(part)['group']}:{part}"
        with self._supervisor() as supervisor:
            supervisor.startProcess(name)

    def part_pid(self, part: str) -> int:
        """Return the process id of a part, 0 while it does not run."""
        return int(self._process(part)["pid"])

    def parts(self) -> list[str]:
        """Return the parts of this deployment; the echo bot needs no speech workers."""
        with self._supervisor() as supervisor:
            return [str(row["name"]) for row in supervisor.getAllProcessInfo()]

    def kill_part(self, part: str) -> None:
        """Let a part die without a chance to clean up; it is started again by itself."""
        os.kill(self.part_pid(part), signal.SIGKILL)

    def wait_until_ready(self, *, deadline_s: float = 60.0) -> None:
        """Wait until a call could be started."""
        wait_until("the stack is ready", self.is_ready, deadline_s=deadline_s)

    def bridge_ports(self) -> list[int]:
        """Return the UDP ports that the bridge holds open."""
        first, last = self.base + 800, self.base + 999
        rows = Path("/proc/net/udp").read_text().splitlines()[1:]
        ports = (int(row.split()[1].rpartition(":")[2], 16) for row in rows)
        return sorted(port for port in ports if first <= port <= last)

    def calls_in_bridge(self) -> int:
        """Return how many calls the bridge says that it runs, asked over the bus."""

        async def hear() -> int:
            folder = self.folder / ".talkbutton" / "state" / "bus"
            bus = LocalBus(folder, "test")
            bus.open()
            (folder / "test.sock").chmod(0o777)  # the parts run as another user
            try:
                with bus.subscribe("bridge.status") as statuses:
                    async with asyncio.timeout(10):
                        return int((await anext(statuses)).data["calls"])
            finally:
                bus.close()

        return run_beside(hear)

    def leftovers(self) -> dict[str, Any]:
        """Return what still lives of any call: channels, bridges, ports."""
        found = {
            "channels": [channel["name"] for channel in self.ari("channels")],
            "bridges": [bridge["id"] for bridge in self.ari("bridges")],
            "ports": self.bridge_ports(),
        }
        return {what: those for what, those in found.items() if those}

    def wait_for_nothing_left(self, *, deadline_s: float = 10.0) -> None:
        """Wait until no channel, bridge, port or task of a call is left."""
        wait_until(
            "nothing of the call is left", lambda: not self.leftovers(), deadline_s=deadline_s
        )
        wait_until(
            "the bridge runs no call", lambda: self.calls_in_bridge() == 0, deadline_s=deadline_s
        )

    @property
    def journal(self) -> JournalReader:
        """The stack's record of all calls."""
        return JournalReader(self.folder / ".talkbutton" / "state" / "journal.sqlite")

    def events_of_latest_call(self) -> list[CallEvent]:
        """Return the timeline of the call that started last."""

        async def read() -> list[CallEvent]:
            calls = await self.journal.calls(limit=1)
            return await self.journal.events(calls[0].call_id) if calls else []

        return run_beside(read)

    def wait_for_events(self, name: str, count: int = 1) -> list[CallEvent]:
        """Wait until the latest call has so many events of that name; return them."""
        found: list[CallEvent] = []

        def are_there() -> bool:
            found[:] = [event for event in self.events_of_latest_call() if event.name == name]
            return len(found) >= count

        wait_until(f"the latest call has {count} of {name}", are_there, deadline_s=20)
        return found
