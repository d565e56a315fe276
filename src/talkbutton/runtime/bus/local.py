"""The bus of one machine: each program has a Unix datagram socket in one folder.

A message goes to every socket in the folder but one's own. There is no broker that could die, and
a program that starts anew is found by its name. Datagrams between local sockets are neither lost
nor reordered. The kernel holds few of them (``net.unix.max_dgram_qlen``, often 10), so each peer
has a bounded queue here too; what does not fit is dropped and counted, because a slow reader must
not slow the others.
"""

import asyncio
import socket
from collections import deque
from collections.abc import AsyncIterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from talkbutton.errors import ProtocolError
from talkbutton.runtime.bus.message import (
    MESSAGE_MAX_BYTES,
    BusMessage,
    decode_message,
    encode_message,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LocalBus", "Subscription"]

_RECEIVE_BUFFER_BYTES = 1 << 20
_QUEUE_MAX_MESSAGES = 1_000
_BATCH_MAX_MESSAGES = 100


class Subscription:
    """Messages of some topics, in order, as an async iterator."""

    def __init__(self, topics: frozenset[str], call_id: str | None) -> None:
        self.dropped_messages = 0
        self._topics = topics
        self._call_id = call_id
        self._queue: asyncio.Queue[BusMessage] = asyncio.Queue(_QUEUE_MAX_MESSAGES)

    def offer(self, message: BusMessage) -> None:
        """Take the message if it is wanted and there is room."""
        if message.topic not in self._topics:
            return
        if self._call_id is not None and message.call_id != self._call_id:
            return
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            self.dropped_messages += 1

    def __aiter__(self) -> AsyncIterator[BusMessage]:
        return self

    async def __anext__(self) -> BusMessage:
        return await self._queue.get()


class _Peer:
    """Another program's socket, and what waits until it reads on."""

    def __init__(self, path: Path) -> None:
        self._waiting: deque[bytes] = deque()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise

    def send(self, encoded: bytes) -> bool:
        """Send or queue; return whether there was room. OSError means the program is gone."""
        if self._waiting:
            if len(self._waiting) >= _QUEUE_MAX_MESSAGES:
                return False
            self._waiting.append(encoded)
            return True
        try:
            self._socket.send(encoded)
        except BlockingIOError:
            self._waiting.append(encoded)
            asyncio.get_running_loop().add_writer(self._socket, self._flush)
        return True

    def close(self) -> None:
        """Drop what waits."""
        asyncio.get_running_loop().remove_writer(self._socket)
        self._socket.close()

    def _flush(self) -> None:
        while self._waiting:
            try:
                self._socket.send(self._waiting[0])
            except BlockingIOError:
                return
            except OSError:  # its program is gone; the next publish finds the new one
                self._waiting.clear()
                break
            self._waiting.popleft()
        asyncio.get_running_loop().remove_writer(self._socket)


class LocalBus:
    """Publish to and hear from the other programs on this machine.

    Args:
        folder: Where the sockets are; the same for all programs.
        program: This program's name, unique in the folder.
    """

    def __init__(self, folder: Path, program: str) -> None:
        self.dropped_messages = 0
        self._folder = folder
        self._path = folder / f"{program}.sock"
        self._subscriptions: set[Subscription] = set()
        self._peers: dict[Path, _Peer] = {}
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Bind this program's socket, in place of one that an earlier run left."""
        assert self._socket is None
        self._folder.mkdir(parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        self._socket.bind(str(self._path))
        asyncio.get_running_loop().add_reader(self._socket, self._receive)

    def close(self) -> None:
        """Stop hearing and remove the socket."""
        if self._socket is None:
            return
        asyncio.get_running_loop().remove_reader(self._socket)
        for path in list(self._peers):
            self._forget(path)
        self._socket.close()
        self._socket = None
        self._path.unlink(missing_ok=True)

    def publish(self, message: BusMessage) -> None:
        """Send to all other programs, and to this one's own subscriptions; never waits."""
        for subscription in list(self._subscriptions):
            subscription.offer(message)
        if self._socket is None:
            return
        encoded = encode_message(message)
        paths = {path for path in self._folder.glob("*.sock") if path != self._path}
        for gone in self._peers.keys() - paths:
            self._forget(gone)
        for path in paths:
            if not self._send(path, encoded):
                self.dropped_messages += 1

    @contextmanager
    def subscribe(self, *topics: str, call_id: str | None = None) -> "Iterator[Subscription]":
        """Hear messages of ``topics`` (of one call, if given) while the context lasts."""
        subscription = Subscription(frozenset(topics), call_id)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def _send(self, path: Path, encoded: bytes) -> bool:
        for _ in range(2):  # the second time to a program that has taken the place of a dead one
            try:
                if path not in self._peers:
                    self._peers[path] = _Peer(path)
                return self._peers[path].send(encoded)
            except OSError:
                self._forget(path)
        return True  # nobody is there to miss it

    def _forget(self, path: Path) -> None:
        peer = self._peers.pop(path, None)
        if peer is not None:
            peer.close()

    def _receive(self) -> None:
        assert self._socket is not None
        for _ in range(_BATCH_MAX_MESSAGES):
            try:
                encoded = self._socket.recv(MESSAGE_MAX_BYTES)
            except BlockingIOError:
                return
            with suppress(ProtocolError):
                message = decode_message(encoded)
                for subscription in list(self._subscriptions):
                    subscription.offer(message)
