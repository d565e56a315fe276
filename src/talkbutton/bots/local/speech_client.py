"""Talks to one speech worker, and keeps the connection up.

``run`` connects and reconnects for as long as it runs. Requests wait for a connection no longer
than their own deadline; a worker that dies, hangs or sends garbage costs the requests in flight,
which fail with ``ConnectionLost`` and may be made again.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from talkbutton.errors import BotError, ConnectionLost, ProtocolError
from talkbutton.protocols.speech import (
    Cancel,
    Detect,
    Detected,
    Embed,
    Embedded,
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
    Transcribed,
    encode_frame,
    encode_request,
    parse_reply,
)

__all__ = ["SpeechClient"]

_log = logging.getLogger("talkbutton.bots.local")

_Asking = Probe | Detect | Transcribe | Speak | Embed
_R = TypeVar("_R", bound=Reply)
_T = TypeVar("_T")

_READ_BYTES = 1 << 16
_UNSENT_MAX_BYTES = 8 << 20
_RECONNECT_S = 0.2
_PROBE_DEADLINE_MS = 1_000
_EMBED_TEXTS_MAX = 32


class SpeechClient:
    """The bridge's end of one worker's socket.

    Args:
        folder: Where the sockets of the workers are.
        part: The worker, such as ``speech-voice``.
    """

    def __init__(self, folder: Path, part: str) -> None:
        self.part = part
        self._path = folder / f"{part}.sock"
        self._writer: asyncio.StreamWriter | None = None
        self._connected = asyncio.Event()
        self._exchanges: dict[int, _Exchange] = {}
        self._ids = count(1)

    async def run(self) -> None:
        """Keep the connection up, until cancelled."""
        while True:
            try:
                await self._converse()
            except (OSError, ProtocolError) as exc:
                if self._connected.is_set():
                    _log.warning("%s: the connection broke: %s", self.part, exc)
            finally:
                self._disconnect()
            await asyncio.sleep(_RECONNECT_S)

    async def probe(self) -> Ready:
        """Return what the worker is.

        Raises:
            ConnectionLost: If it can't be reached.
        """
        return await self._ask(Probe(next(self._ids)), Ready, deadline_ms=_PROBE_DEADLINE_MS)

    async def detect(
        self, calls: Sequence[str], windows: Sequence[bytes], *, deadline_ms: int
    ) -> Sequence[float]:
        """Return the probability of speech in the next window of each call.

        Raises:
            ConnectionLost: If the worker can't be reached or is late.
            BotError: If the model failed.
        """
        request = Detect(next(self._ids), tuple(calls), b"".join(windows))
        reply = await self._ask(request, Detected, deadline_ms=deadline_ms)
        if len(reply.probabilities) != len(calls):
            raise ConnectionLost(f"{self.part} answered for another number of calls")
        return reply.probabilities

    async def connected(self) -> None:
        """Wait for a connection."""
        await self._connected.wait()

    def begin(self, request: _Asking, exchange: "_Exchange") -> None:
        """Send a request, whose replies go to ``exchange``."""
        self._exchanges[request.request_id] = exchange
        self._send(request)

    def abandon(self, request_id: int) -> None:
        """Cancel a request, unless it has been answered in full."""
        if self._exchanges.pop(request_id, None) is not None:
            self._send(Cancel(request_id))

    def forget(self, calls: Sequence[str]) -> None:
        """Say that calls are over; does nothing without a connection."""
        if calls:
            self._send(Forget(tuple(calls)))

    async def transcribe(self, pcm: bytes, *, deadline_ms: int) -> Transcribed:
        """Return what is said in ``pcm``.

        Raises:
            ConnectionLost: If the worker can't be reached or is late.
            BotError: If the model failed.
        """
        request = Transcribe(next(self._ids), deadline_ms, pcm)
        return await self._ask(request, Transcribed, deadline_ms=deadline_ms)

    async def speak(
        self, text: str, *, deadline_ms: int, is_background: bool = False
    ) -> AsyncGenerator[bytes, None]:
        """Yield the sound of ``text`` in pieces; ``deadline_ms`` is for all of them.

        Raises:
            ConnectionLost: If the worker can't be reached or is late.
            BotError: If the voice failed.
        """
        request = Speak(next(self._ids), deadline_ms, text, is_background)
        with _Exchange(self, request, deadline_ms) as exchange:
            await exchange.start()
            while True:
                reply = _expect(await exchange.next(), Spoken, self.part)
                if reply.pcm:
                    yield reply.pcm
                if reply.is_last:
                    return

    async def embed(self, texts: Sequence[str], *, deadline_ms: int) -> NDArray[np.float32]:
        """Return a matrix with one vector of unit length for each text.

        Raises:
            ConnectionLost: If the worker can't be reached or is late.
            BotError: If the model failed.
        """
        parts = [
            await self._embed_some(texts[start : start + _EMBED_TEXTS_MAX], deadline_ms)
            for start in range(0, len(texts), _EMBED_TEXTS_MAX)
        ]
        return np.concatenate(parts)

    async def _embed_some(self, texts: Sequence[str], deadline_ms: int) -> NDArray[np.float32]:
        request = Embed(next(self._ids), tuple(texts))
        reply = await self._ask(request, Embedded, deadline_ms=deadline_ms)
        vectors = np.frombuffer(reply.vectors, "<f4").reshape(-1, reply.dimensions)
        if len(vectors) != len(texts):
            raise ConnectionLost(f"{self.part} answered for another number of texts")
        return vectors

    async def _ask(self, request: _Asking, kind: type[_R], *, deadline_ms: int) -> _R:
        with _Exchange(self, request, deadline_ms) as exchange:
            await exchange.start()
            return _expect(await exchange.next(), kind, self.part)

    async def _converse(self) -> None:
        reader, self._writer = await asyncio.open_unix_connection(self._path)
        self._connected.set()
        frames = FrameReader()
        while received := await reader.read(_READ_BYTES):
            for frame in frames.feed(received):
                self._dispatch(parse_reply(frame))
        raise ConnectionResetError("the worker closed it")

    def _dispatch(self, reply: Reply) -> None:
        is_last = not isinstance(reply, Spoken) or reply.is_last
        exchange = (
            self._exchanges.pop(reply.request_id, None)
            if is_last
            else self._exchanges.get(reply.request_id)
        )
        if exchange is not None:
            exchange.replies.put_nowait(reply)

    def _disconnect(self) -> None:
        self._connected.clear()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for exchange in self._exchanges.values():
            exchange.replies.put_nowait(None)
        self._exchanges.clear()

    def _send(self, request: Request) -> None:
        if self._writer is None or self._writer.transport.is_closing():
            return
        self._writer.write(encode_frame(encode_request(request)))
        if self._writer.transport.get_write_buffer_size() > _UNSENT_MAX_BYTES:
            self._writer.transport.abort()  # it does not read: reconnect


class _Exchange:
    """One request and its replies, within one deadline; leaving it early cancels the request."""

    def __init__(self, client: SpeechClient, request: _Asking, deadline_ms: int) -> None:
        self.replies: asyncio.Queue[Reply | None] = asyncio.Queue()  # None: none will come
        self._client = client
        self._request = request
        self._deadline_ms = deadline_ms
        self._deadline_s = asyncio.get_running_loop().time() + deadline_ms / 1000

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.abandon(self._request.request_id)

    async def start(self) -> None:
        """Send the request as soon as there is a connection."""
        await self._before_deadline(self._client.connected())
        self._client.begin(self._request, self)

    async def next(self) -> Reply:
        """Return the next reply."""
        match await self._before_deadline(self.replies.get()):
            case None:
                raise ConnectionLost(f"{self._client.part} went away")
            case Failed(_, "broken", detail):
                raise BotError(detail)
            case Failed(_, code, detail):
                raise ConnectionLost(f"{self._client.part} did not do it: {detail} ({code})")
            case reply:
                return reply

    async def _before_deadline(self, awaited: Coroutine[Any, Any, _T]) -> _T:
        try:
            async with asyncio.timeout_at(self._deadline_s):
                return await awaited
        except TimeoutError:
            raise ConnectionLost(
                f"{self._client.part} did not answer within {self._deadline_ms} ms"
            ) from None


def _expect(reply: Reply, kind: type[_R], part: str) -> _R:
    if not isinstance(reply, kind):
        raise ConnectionLost(f"{part} answered something else")
    return reply
