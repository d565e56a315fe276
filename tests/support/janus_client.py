"""A client of Janus's API that says and hears exactly what is on the wire."""

import json
import time
from itertools import count
from typing import Any

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from support.daemons import live_secrets, live_settings
from talkbutton.runtime.aio.janus_link import janus_login

__all__ = ["LOGIN", "JanusClient", "connected", "current"]

LOGIN = janus_login(live_secrets())


def current(plugin: str = "janus.plugin.sip") -> dict[str, str]:
    """Return what a request carries now, to use ``plugin``."""
    return LOGIN.fields(now_unix=int(time.time()), plugin=plugin)


def connected(port: int, host: str | None = None) -> ClientConnection:
    """Open a WebSocket to Janus's API."""
    address = host or live_settings().network.private_address
    return connect(
        f"ws://{address}:{port}",
        subprotocols=[Subprotocol("janus-protocol")],
        compression=None,
        proxy=None,
    )


class JanusClient:
    """Asks Janus one thing at a time.

    Args:
        socket: The connection.
        carried: What every request carries; None takes the right login, signed anew each time.
    """

    def __init__(self, socket: ClientConnection, carried: dict[str, str] | None = None) -> None:
        self._socket, self._carried = socket, carried
        self._transactions = count(1)

    def ask(self, **request: object) -> Any:
        """Return Janus's answer to a request; events are passed over."""
        transaction = f"t{next(self._transactions)}"
        carried = current() if self._carried is None else self._carried
        self._socket.send(json.dumps({"transaction": transaction, **carried, **request}))
        while True:
            answer = json.loads(self._socket.recv(timeout=5))
            is_ack = answer["janus"] == "ack" and request["janus"] != "keepalive"
            if answer.get("transaction") == transaction and not is_ack:
                return answer

    def event(self, name: str) -> Any:
        """Return the next event of the SIP plugin with this name."""
        while True:
            heard = json.loads(self._socket.recv(timeout=10))
            result = heard.get("plugindata", {}).get("data", {}).get("result", {})
            if result.get("event") == name:
                return heard

    def session(self) -> int:
        """Create a session and return its id."""
        created: int = self.ask(janus="create")["data"]["id"]
        return created

    def handle(self, session: int, plugin: str = "janus.plugin.sip") -> dict[str, object]:
        """Attach a plugin and return what addresses the handle."""
        attached = self.ask(janus="attach", session_id=session, plugin=plugin)
        return {"session_id": session, "handle_id": attached["data"]["id"]}

    def register_guest(self, where: dict[str, object], *, user: str, proxy: str) -> None:
        """Make the handle a SIP identity as the keeper does, without a REGISTER."""
        body = {
            "request": "register",
            "send_register": False,
            "username": f"sip:talkbutton@{live_settings().network.private_address}",
            "secret": user,
            "proxy": proxy,
        }
        answer = self.ask(janus="message", **where, body=body)
        assert answer["plugindata"]["data"]["result"]["event"] == "registered", answer
