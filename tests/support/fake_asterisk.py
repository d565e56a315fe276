"""An Asterisk that consists of its ARI WebSocket only: real messages on a real socket, no media."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

__all__ = ["FakeAsterisk", "fake_asterisk"]

Json = dict[str, Any]

_WAIT_MAX_S = 8.0


@dataclass
class FakeAsterisk:
    """Channels and bridges, and who asked for what.

    Attributes:
        password: Of the ARI user ``bridge``.
        port: TCP port on 127.0.0.1.
        app_data: Live channels, by id, with what their ``Stasis()`` was given.
        bridges: Live bridges, by id, with the channels in them.
        requests: ``METHOD uri`` of all requests, in order.
        refused: Status to refuse a request with, by the beginning of ``METHOD uri``.
        unanswered: Beginnings of requests that are never answered.
        channelvars: Of new ExternalMedia channels.
    """

    password: str
    port: int = 0
    app_data: dict[str, str] = field(default_factory=dict)
    bridges: dict[str, set[str]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    unanswered: list[str] = field(default_factory=list)
    channelvars: dict[str, str] = field(
        default_factory=lambda: {
            "UNICASTRTP_LOCAL_ADDRESS": "127.0.0.1",
            "UNICASTRTP_LOCAL_PORT": "27418",
        }
    )
    connections: list[ServerConnection] = field(default_factory=list)
    _is_filtered: bool = False
    _calls: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_ready(self) -> bool:
        """Whether the bridge is connected and has set its event filter."""
        return bool(self.connections) and self._is_filtered

    @property
    def is_empty(self) -> bool:
        """Whether no channel and no bridge is left."""
        return not self.app_data and not self.bridges

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something that happened here made ``condition`` true."""
        async with asyncio.timeout(_WAIT_MAX_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def place_call(self, ticket: str, extension: str = "7000") -> str:
        """Bring a new caller into the application; return the channel's id."""
        self._calls += 1
        channel_id = f"1795414467.{self._calls}"
        self.app_data[channel_id] = f"talkbutton,{ticket},{extension}"
        await self._emit(
            {
                "type": "StasisStart",
                "args": [ticket, extension],
                "channel": self._channel(channel_id),
            }
        )
        return channel_id

    async def hang_up(self, channel_id: str) -> None:
        """Let the far end of a channel hang up."""
        channel = self._channel(channel_id)
        del self.app_data[channel_id]
        for members in self.bridges.values():
            members.discard(channel_id)
        await self._emit({"type": "ChannelHangupRequest", "cause": 16, "channel": channel})
        await self._emit({"type": "StasisEnd", "channel": channel})
        await self._emit({"type": "ChannelDestroyed", "cause": 16, "channel": channel})

    async def replace_application(self) -> None:
        """Say that another client took the application over."""
        await self._emit({"type": "ApplicationReplaced", "application": "talkbutton"})

    async def say_garbage(self) -> None:
        """Send what is no ARI message."""
        for connection in self.connections:
            await connection.send("not JSON")

    async def drop_connections(self) -> None:
        """Break all sockets."""
        for connection in list(self.connections):
            connection.transport.abort()
        await self.until(lambda: not self.connections)

    def authorize(self, _: ServerConnection, request: Request) -> Response | None:
        """Refuse an opening request without the right password."""
        expected = base64.b64encode(f"bridge:{self.password}".encode()).decode()
        if request.headers.get("Authorization") == f"Basic {expected}":
            return None
        return Response(HTTPStatus.UNAUTHORIZED.value, "Unauthorized", _no_headers())

    async def serve(self, connection: ServerConnection) -> None:
        """Answer one client until it goes."""
        self.connections.append(connection)
        self._is_filtered = False
        try:
            async for message in connection:
                await self._answer(connection, json.loads(message))
        except ConnectionClosed:
            pass
        finally:
            self.connections.remove(connection)
            self._changed.set()

    async def _answer(self, connection: ServerConnection, message: Json) -> None:
        assert message["type"] == "RESTRequest"
        name = f"{message['method']} {message['uri']}"
        self.requests.append(name)
        if not any(name.startswith(each) for each in self.unanswered):
            status, body = self._carry_out(name, message)
            answer: Json = {
                "type": "RESTResponse",
                "transaction_id": "",
                "request_id": message["request_id"],
                "status_code": status,
                "reason_phrase": HTTPStatus(status).phrase,
                "uri": message["uri"],
            }
            if body is not None:
                answer |= {"content_type": "application/json", "message_body": json.dumps(body)}
            await connection.send(json.dumps(answer))
            if name == "POST channels/externalMedia" and status == 200:
                started = {"type": "StasisStart", "args": [], "channel": body}
                await self._emit(started)
        self._changed.set()

    def _carry_out(self, name: str, message: Json) -> tuple[int, Any]:
        for beginning, status in self.refused.items():
            if name.startswith(beginning):
                return status, {"message": "refused"}
        query = {each["name"]: each["value"] for each in message.get("query_strings", [])}
        method, path = name.split(" ")
        resource, *parts = (unquote(part) for part in path.split("/"))
        match resource:
            case "channels":
                return self._carry_out_on_channels(method, parts, query)
            case "bridges":
                return self._carry_out_on_bridges(method, parts, query)
            case _:
                allowed = json.loads(message["message_body"])["allowed"]
                self._is_filtered = {"type": "RESTResponse"} in allowed
                return 200, {}

    def _carry_out_on_channels(
        self, method: str, parts: list[str], query: dict[str, str]
    ) -> tuple[int, Any]:
        match method, *parts:
            case ("GET",):
                return 200, [self._channel(channel_id) for channel_id in self.app_data]
            case "POST", "externalMedia":
                channel_id = query["channelId"]
                self.app_data[channel_id] = "talkbutton"
                return 200, self._channel(channel_id) | {"channelvars": self.channelvars}
            case "POST", channel_id, "answer":
                return (204, None) if channel_id in self.app_data else (404, {"message": "gone"})
            case "GET", _, "variable":
                return 404, {"message": "Provided variable was not found"}
            case "DELETE", channel_id:
                return self._delete_channel(channel_id)
            case _:
                raise AssertionError(method, parts)

    def _carry_out_on_bridges(
        self, method: str, parts: list[str], query: dict[str, str]
    ) -> tuple[int, Any]:
        match method, *parts:
            case ("GET",):
                return 200, [{"id": bridge_id} for bridge_id in self.bridges]
            case "POST", bridge_id, "addChannel":
                if query["channel"] not in self.app_data:
                    return 400, {"message": "Channel not found"}
                self.bridges[bridge_id].add(query["channel"])
                return 204, None
            case "POST", bridge_id:
                self.bridges[bridge_id] = set()
                return 200, {"id": bridge_id, "technology": "simple_bridge"}
            case "DELETE", bridge_id:
                return (404, None) if self.bridges.pop(bridge_id, None) is None else (204, None)
            case _:
                raise AssertionError(method, parts)

    def _delete_channel(self, channel_id: str) -> tuple[int, Any]:
        if self.app_data.pop(channel_id, None) is None:
            return 404, {"message": "Channel not found"}
        for members in self.bridges.values():
            members.discard(channel_id)
        return 204, None

    def _channel(self, channel_id: str) -> Json:
        return {
            "id": channel_id,
            "name": f"PJSIP/talkbutton-{channel_id}",
            "state": "Up",
            "dialplan": {
                "context": "talkbutton-in",
                "app_name": "Stasis",
                "app_data": self.app_data[channel_id],
            },
        }

    async def _emit(self, event: Json) -> None:
        self._changed.set()
        for connection in self.connections:
            await connection.send(json.dumps(event))


def _no_headers() -> Any:
    from websockets.datastructures import Headers

    return Headers({"Content-Length": "0"})


@asynccontextmanager
async def fake_asterisk(password: str, *, port: int = 0) -> AsyncIterator[FakeAsterisk]:
    """Serve a fake on 127.0.0.1 while the context lasts."""
    fake = FakeAsterisk(password)
    async with serve(
        fake.serve, "127.0.0.1", port, process_request=fake.authorize, compression=None
    ) as server:
        fake.port = next(iter(server.sockets)).getsockname()[1]
        yield fake
