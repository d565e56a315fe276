import asyncio
import json

import pytest
from starlette.types import Message
from starlette.websockets import WebSocket

from talkbutton.edge.outbox import MESSAGES_MAX, Outbox

pytestmark = [pytest.mark.edge, pytest.mark.anyio]


class Server:
    """The server's side of a WebSocket, which may stop taking messages."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.takes = asyncio.Event()
        self.takes.set()

    async def receive(self) -> Message:
        return {"type": "websocket.connect"}

    async def send(self, message: Message) -> None:
        await self.takes.wait()
        self.sent.append(message)

    async def accepted(self) -> WebSocket:
        websocket = WebSocket({"type": "websocket", "headers": []}, self.receive, self.send)
        await websocket.accept()
        self.sent.clear()
        return websocket


async def test_sends_in_order_then_closes() -> None:
    server, slow = Server(), list[bool]()
    outbox = Outbox(await server.accepted(), lambda: slow.append(True))
    outbox.send({"type": "ringing"})
    outbox.send({"type": "caption", "text": "Grüße"})
    outbox.close(4002, "message_invalid")
    await outbox.run()
    assert [json.loads(message["text"])["type"] for message in server.sent[:2]] == [
        "ringing",
        "caption",
    ]
    assert "Grüße" in server.sent[1]["text"]
    assert server.sent[2:] == [
        {"type": "websocket.close", "code": 4002, "reason": "message_invalid"}
    ]
    assert slow == []


async def test_a_socket_that_takes_nothing_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("talkbutton.edge.outbox.SEND_DEADLINE_S", 0.05)
    server, slow = Server(), list[bool]()
    outbox = Outbox(await server.accepted(), lambda: slow.append(True))
    server.takes.clear()
    outbox.send({"type": "ringing"})
    outbox.send({"type": "ringing"})
    await asyncio.wait_for(outbox.run(), 5)
    assert slow == [True]
    assert server.sent == []


async def test_too_many_unread_messages_are_slow_and_said_once() -> None:
    server, slow = Server(), list[bool]()
    outbox = Outbox(await server.accepted(), lambda: slow.append(True))
    for _ in range(MESSAGES_MAX):
        outbox.send({"type": "ringing"})
    assert slow == []
    outbox.send({"type": "ringing"})
    outbox.send({"type": "ringing"})
    assert slow == [True]
    outbox.close(4009, "too_slow")
    await outbox.run()
    assert len(server.sent) == MESSAGES_MAX + 1


async def test_a_socket_that_the_server_closed_ends_it() -> None:
    server = Server()
    websocket = await server.accepted()
    outbox = Outbox(websocket, lambda: None)
    await websocket.close(1012)
    server.sent.clear()
    outbox.send({"type": "ringing"})
    await asyncio.wait_for(outbox.run(), 5)
    assert server.sent == []
