"""Keeps the parts alive with supervisord: its configuration, its life, and questions to it.

Nobody survives the one who started it: supervisord gets SIGTERM when ``up`` dies and then stops
the parts in order; a part is killed when supervisord itself is.

Source: http://supervisord.org/configuration.html, http://supervisord.org/api.html.
"""

import asyncio
import http.client
import os
import socket
import sys
import xmlrpc.client
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from talkbutton.errors import ConnectionLost, StackError
from talkbutton.operate.stack.parts import PARTS, Part
from talkbutton.operate.stack.places import Places

__all__ = ["PartProcess", "Supervisor", "render_supervisord"]

ProcessState = Literal[
    "STOPPED", "STARTING", "RUNNING", "BACKOFF", "STOPPING", "EXITED", "FATAL", "UNKNOWN"
]

_Answer = TypeVar("_Answer")

_CONFIG = "supervisord.conf"
_ANSWER_TIMEOUT_S = 3.0
_START_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 12.0
_POLL_S = 0.05
_PROGRAM_STOP_S = 6  # a part has 5 s for a clean end
_OTHER_STOP_S = 4  # daemons and speech workers keep nothing that could be lost
_RETRIES = 20
_LOG_MAX = "10MB"
_LOG_BACKUPS = 3
_GROUPS = {"programs": 200, "others": 100}  # the higher number stops first


@dataclass(frozen=True, slots=True)
class PartProcess:
    """What supervisord knows about a part.

    Attributes:
        part: The part's name.
        state: supervisord's name for the state it is in.
        pid: Its process id; None while it does not run.
        started_unix: When it was last started, Unix seconds.
        exit_status: How the last run ended; None where none has.
        problem: Why it could not be started, in supervisord's words.
    """

    part: str
    state: ProcessState
    pid: int | None
    started_unix: float
    exit_status: int | None
    problem: str | None


def render_supervisord(parts: Sequence[Part]) -> str:
    """Return supervisord's configuration; paths in it start at the settings' folder.

    Each part is started by its script, so that no path or value has to be quoted here.
    """
    own = ".talkbutton"
    lines = [
        "; Written by talkbutton. Changes made here are lost.",
        "[supervisord]",
        "nodaemon = true",
        "silent = true",
        f"logfile = {own}/log/supervisord.log",
        f"logfile_maxbytes = {_LOG_MAX}",
        f"logfile_backups = {_LOG_BACKUPS}",
        f"pidfile = {own}/run/supervisord.pid",
        f"childlogdir = {own}/log",
        *(["user = root"] if os.geteuid() == 0 else []),
        "",
        "[unix_http_server]",
        f"file = {own}/run/supervisor.sock",
        "chmod = 0600",
        "",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
    ]
    for group, priority in _GROUPS.items():
        members = ",".join(part.name for part in parts if _group(part) == group)
        lines += ["", f"[group:{group}]", f"programs = {members}", f"priority = {priority}"]
    for part in parts:
        lines += ["", *_program(part, own)]
    return "\n".join(lines) + "\n"


def _program(part: Part, own: str) -> list[str]:
    log = Places(Path("talkbutton.toml")).part_log(part.name).relative_to(".talkbutton")
    stop_s = _PROGRAM_STOP_S if _group(part) == "programs" else _OTHER_STOP_S
    return [
        f"[program:{part.name}]",
        f"command = /bin/sh {own}/run/{part.name}/start.sh",
        "autostart = false",
        "autorestart = true",
        "startsecs = 1",
        f"startretries = {_RETRIES}",
        "stopsignal = TERM",
        f"stopwaitsecs = {stop_s}",
        "stopasgroup = true",
        "killasgroup = true",
        "redirect_stderr = true",
        f"stdout_logfile = {own}/{log}",
        f"stdout_logfile_maxbytes = {_LOG_MAX}",
        f"stdout_logfile_backups = {_LOG_BACKUPS}",
    ]


def _group(part: Part) -> str:
    return "programs" if part.kind in {"program", "follower"} else "others"


class Supervisor:
    """The supervisord of one deployment, ours or one that another ``up`` started."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, parts: Sequence[Part]) -> None:
        """Start supervisord with these parts, none of which runs yet.

        Raises:
            StackError: If it does not come up.
        """
        config = self._places.run / _CONFIG
        config.write_text(render_supervisord(parts), encoding="utf-8")
        self._places.supervisor_socket.unlink(missing_ok=True)
        argv = ["setpriv", "--pdeathsig", "TERM", sys.executable, "-W", "ignore"]
        argv += ["-m", "supervisor.supervisord", "--configuration", f".talkbutton/run/{_CONFIG}"]
        with (self._places.log / "supervisord.out").open("wb") as out:
            self._process = await asyncio.create_subprocess_exec(
                *argv,
                cwd=self._places.folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
                start_new_session=True,  # Ctrl-C at the terminal is for `up` alone
            )
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                while not await self.is_up():
                    self.check_alive()
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            await self.stop()
            raise StackError(
                "supervisord", "does not answer", hint=f"see {self._places.supervisor_log}"
            ) from None

    def check_alive(self) -> None:
        """Do nothing while our supervisord runs.

        Raises:
            StackError: If it has ended.
        """
        if self._process is not None and self._process.returncode is not None:
            said = (self._places.log / "supervisord.out").read_text(encoding="utf-8").strip()
            raise StackError(
                "supervisord",
                f"ended with status {self._process.returncode}: {said[-300:] or 'no reason given'}",
                hint=f"see {self._places.supervisor_log}",
            )

    async def stop(self) -> None:
        """Stop all parts, then supervisord; returns when nothing is left."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _STOP_TIMEOUT_S)
            except TimeoutError:
                process.kill()  # and with it every part
                await process.wait()
        self._process = None

    async def is_up(self) -> bool:
        """Return whether a supervisord answers and is not stopping."""
        try:
            await self._ask(lambda proxy: proxy.supervisor.getState())
        except (ConnectionLost, xmlrpc.client.Fault):
            return False
        return True

    def is_left(self) -> bool:
        """Return whether the supervisord of an earlier run is still there, or stopping."""
        try:
            pid = int(self._places.supervisor_pid.read_text(encoding="ascii"))
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return False
        return b"supervisor" in command and _CONFIG.encode() in command

    async def start_part(self, name: str) -> None:
        """Start a part that does not run; being ready is another matter.

        Raises:
            ConnectionLost: If supervisord does not answer.
        """
        with suppress(xmlrpc.client.Fault):  # it runs already
            await self._ask(lambda proxy: proxy.supervisor.startProcess(_full_name(name), False))

    async def restart_part(self, name: str) -> None:
        """Stop a part, wait until it has ended, and start it again.

        Raises:
            StackError: If it does not end in time.
            ConnectionLost: If supervisord does not answer.
        """
        with suppress(xmlrpc.client.Fault):  # it does not run
            await self._ask(lambda proxy: proxy.supervisor.stopProcess(_full_name(name), False))
        try:
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                while (await self.processes())[name].pid is not None:  # noqa: ASYNC110 polled
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            hint = f"see {self._places.part_log(name)}"
            raise StackError(name, "does not stop", hint=hint) from None
        await self.start_part(name)

    async def signal_part(self, name: str, signal_number: int) -> None:
        """Send a signal to a part and its sandbox, which ignores all but SIGKILL.

        Raises:
            ConnectionLost: If supervisord does not answer.
        """
        process = (await self.processes()).get(name)
        if process is not None and process.pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal_number)  # supervisord gives each part a group

    async def processes(self) -> dict[str, PartProcess]:
        """Return what supervisord knows about each part.

        Raises:
            ConnectionLost: If supervisord does not answer.
        """
        rows = await self._ask(lambda proxy: proxy.supervisor.getAllProcessInfo())
        found = [_part_process(row) for row in cast("list[dict[str, Any]]", rows)]
        return {process.part: process for process in found}

    async def _ask(self, question: Callable[[xmlrpc.client.ServerProxy], _Answer]) -> _Answer:
        path = self._places.supervisor_socket

        def ask() -> _Answer:
            with xmlrpc.client.ServerProxy("http://unix", transport=_UnixTransport(path)) as proxy:
                return question(proxy)

        try:
            return await asyncio.to_thread(ask)
        except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError) as exc:
            raise ConnectionLost(f"supervisord does not answer: {exc}") from exc


def _full_name(part: str) -> str:
    return next(f"{_group(one)}:{one.name}" for one in PARTS if one.name == part)


def _part_process(row: dict[str, Any]) -> PartProcess:
    return PartProcess(
        part=str(row["name"]),
        state=row["statename"],
        pid=int(row["pid"]) or None,
        started_unix=float(row["start"]),
        exit_status=int(row["exitstatus"]) if row["stop"] else None,
        problem=str(row["spawnerr"]) or None,
    )


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("unix", timeout=_ANSWER_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_ANSWER_TIMEOUT_S)
        self.sock.connect(str(self._path))


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = _UnixConnection(self._path)
        self._connection = host, connection  # the proxy closes it
        return connection
