"""The socket of a speech worker: many clients, one thread that computes.

The event loop only moves bytes (and runs models that are done in a few milliseconds), so that a
probe is answered and a cancelled request forgotten while the model is busy. Work waits in a
bounded queue: what somebody waits for goes before what nobody waits for (``Speak.is_background``),
and otherwise first come, first served. A request whose deadline has passed, whose client has gone
or which was cancelled is not worked on.

A model that fails answers ``Failed``. A fault in this program itself ends the process; its
supervisor starts it anew, and the clients reconnect.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from talkbutton.errors import BotError, ProtocolError
from talkbutton.protocols.speech import (
    Cancel,
    Detect,
    Embed,
    Failed,
    Forget,
    FrameReader,
    Probe,
    Ready,
    Reply,
    Request,
    Speak,
    Spoken,
    Transcribe,
    encode_frame,
    encode_reply,
    parse_request,
)
from talkbutton.speech.worker import Worker

__all__ = ["SpeechServer"]

_log = logging.getLogger("talkbutton.speech")

CLIENTS_MAX = 8
"""Connections at once; one more is closed."""

QUEUE_MAX_REQUESTS = 64
"""Requests that may wait; one more is answered ``busy``."""

_READ_BYTES = 1 << 16
_CLOSING_MAX_S = 1.0
_UNSENT_MAX_BYTES = 8 << 20
_EMBED_DEADLINE_MS = 10_000
_DETECT_DEADLINE_MS = 1_000
_FORGET_DEADLINE_MS = 60_000


_Accept = Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]


@dataclass(order=True)
class _Job:
    """A request that waits or is worked on; jobs sort by who goes first."""

    priority: int
    number: int
    client: "_Client" = field(compare=False)
    request: Request = field(compare=False)
    deadline_s: float = field(compare=False)
    is_cancelled: bool = field(default=False, compare=False)

    def is_wanted(self) -> bool:
        """Return whether an answer would still be of use. Called from both threads."""
        return not self.is_cancelled and time.monotonic() < self.deadline_s


class _Client:
    """One connection."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.jobs: dict[int, _Job] = {}
        self._writer = writer

    def send(self, reply: Reply) -> None:
        """Send; a client that does not read is cut off."""
        transport = self._writer.transport
        if transport.is_closing():
            return
        self._writer.write(encode_frame(encode_reply(reply)))
        if transport.get_write_buffer_size() > _UNSENT_MAX_BYTES:
            _log.warning("a client does not read its replies; its connection is closed")
            transport.abort()

    async def close(self) -> None:
        """Close, and drop what was asked."""
        for job in self.jobs.values():
            job.is_cancelled = True
        self._writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_CLOSING_MAX_S):
                await self._writer.wait_closed()


class SpeechServer:
    """Serves one worker on one Unix socket.

    Args:
        path: Where the socket is; one that an earlier run left is replaced.
        worker: The model.
    """

    def __init__(self, path: Path, worker: Worker) -> None:
        self._path = path
        self._worker = worker
        self._clients: set[_Client] = set()
        self._queue: asyncio.PriorityQueue[_Job] = asyncio.PriorityQueue(QUEUE_MAX_REQUESTS)
        self._jobs_taken = 0

    async def run(self) -> None:
        """Serve until cancelled.

        Raises:
            BotError: If the socket cannot be made.
        """
        listener = self._bind()
        try:
            async with asyncio.TaskGroup() as group:

                def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                    group.create_task(self._serve(reader, writer))

                server = await asyncio.start_unix_server(accept, sock=listener)
                _log.info("%s is ready with %s", self._worker.part, self._worker.model)
                try:
                    await self._work()
                finally:
                    server.close()
        finally:
            listener.close()
            self._path.unlink(missing_ok=True)

    def _bind(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.unlink(missing_ok=True)
            listener.bind(str(self._path))
            self._path.chmod(0o600)
        except OSError as exc:
            listener.close()
            raise BotError(
                f"{self._worker.part}: {self._path} cannot be made: {exc.strerror or exc}; "
                "check the state folder and its rights"
            ) from exc
        return listener

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = _Client(writer)
        if len(self._clients) >= CLIENTS_MAX:
            _log.warning("more than %d clients; one is turned away", CLIENTS_MAX)
            await client.close()
            return
        self._clients.add(client)
        frames = FrameReader()
        try:
            while received := await reader.read(_READ_BYTES):
                for frame in frames.feed(received):
                    self._take(client, parse_request(frame))
        except ProtocolError as exc:
            _log.warning("a client is cut off: %s", exc)
        except OSError:
            pass  # it is gone
        finally:
            self._clients.discard(client)
            await client.close()

    def _take(self, client: _Client, request: Request) -> None:
        match request:
            case Probe(request_id):
                client.send(Ready(request_id, self._worker.part, self._worker.model))
            case Cancel(request_id):
                if (job := client.jobs.pop(request_id, None)) is not None:
                    job.is_cancelled = True
            case _:
                self._enqueue(client, request)

    def _enqueue(self, client: _Client, request: Request) -> None:
        self._jobs_taken += 1
        is_background = isinstance(request, Speak) and request.is_background
        deadline_s = time.monotonic() + _deadline_ms(request) / 1000
        job = _Job(int(is_background), self._jobs_taken, client, request, deadline_s)
        request_id = _request_id(request)
        if request_id in client.jobs:
            client.send(Failed(request_id, "invalid", "this id is in use"))
            return
        try:
            self._queue.put_nowait(job)
        except asyncio.QueueFull:
            if request_id is not None:
                client.send(Failed(request_id, "busy", f"{QUEUE_MAX_REQUESTS} requests wait"))
            return
        if request_id is not None:
            client.jobs[request_id] = job

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()

        def from_thread(job: _Job, reply: Reply) -> None:
            loop.call_soon_threadsafe(self._deliver, job, reply)

        thread = ThreadPoolExecutor(1, thread_name_prefix=self._worker.part)
        try:
            while True:
                job = await self._queue.get()
                if self._worker.is_quick:
                    self._compute(job, self._deliver)
                else:
                    await loop.run_in_executor(thread, self._compute, job, from_thread)
        finally:
            thread.shutdown(wait=False, cancel_futures=True)

    def _compute(self, job: _Job, deliver: Callable[[_Job, Reply], object]) -> None:
        """Work on one job; runs in the thread, unless the worker is quick."""
        for reply in self._replies(job):
            deliver(job, reply)

    def _replies(self, job: _Job) -> Iterator[Reply]:
        request_id = _request_id(job.request)
        try:
            if job.is_wanted():
                yield from self._worker.answer(job.request, job.is_wanted)
                if job.is_wanted() or request_id is None:
                    return
            if request_id is not None and not job.is_cancelled:
                yield Failed(request_id, "late", "the deadline passed")
        except ProtocolError as exc:
            if request_id is not None:
                yield Failed(request_id, "invalid", str(exc))
        except BotError as exc:
            _log.error("%s", exc)
            if request_id is not None:
                yield Failed(request_id, "broken", str(exc))

    def _deliver(self, job: _Job, reply: Reply) -> None:
        if job.is_cancelled or job.client.jobs.get(reply.request_id) is not job:
            return
        if not isinstance(reply, Spoken) or reply.is_last:
            del job.client.jobs[reply.request_id]
        job.client.send(reply)


def _request_id(request: Request) -> int | None:
    return None if isinstance(request, Forget) else request.request_id


def _deadline_ms(request: Request) -> int:
    match request:
        case Transcribe() | Speak():
            return request.deadline_ms
        case Embed():
            return _EMBED_DEADLINE_MS
        case Detect():
            return _DETECT_DEADLINE_MS
        case _:
            return _FORGET_DEADLINE_MS
