"""Janus on its rendered files: closed without the secret, the SIP plugin alone, private sockets."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from support.daemons import (
    RunningDaemon,
    live_secrets,
    live_settings,
    media_address,
    running_daemon,
    wait_until,
)
from talkbutton.settings.model import NetworkSettings, Secrets

pytestmark = pytest.mark.live

SETTINGS = live_settings()
API_SECRET = live_secrets().janus_api_secret.get_secret_value()
ADMIN_SECRET = live_secrets().janus_admin_secret.get_secret_value()
PRIVATE = SETTINGS.network.private_address

FORBIDDEN, NO_SUCH_PLUGIN = 403, 460


class JanusClient:
    """Asks Janus one thing at a time."""

    def __init__(self, socket: ClientConnection, secret: str | None = API_SECRET) -> None:
        self._socket, self._secret = socket, secret
        self._transactions = count(1)

    def ask(self, **request: object) -> Any:
        """Return Janus's answer to a request; events are passed over."""
        transaction = f"t{next(self._transactions)}"
        secret = {} if self._secret is None else {"apisecret": self._secret}
        self._socket.send(json.dumps({"transaction": transaction, **secret, **request}))
        while True:
            answer = json.loads(self._socket.recv(timeout=5))
            if answer.get("transaction") == transaction and answer["janus"] != "ack":
                return answer

    def session(self) -> int:
        """Create a session and return its id."""
        created: int = self.ask(janus="create")["data"]["id"]
        return created


@pytest.fixture(scope="module")
def janus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    folder = tmp_path_factory.mktemp("janus")
    with running_daemon("janus", folder, settings=SETTINGS) as daemon:
        yield daemon


@pytest.fixture
def socket(janus: RunningDaemon) -> Iterator[ClientConnection]:
    assert janus.pid
    with _connect(SETTINGS.janus.api_port) as connection:
        yield connection


@pytest.fixture
def client(socket: ClientConnection) -> JanusClient:
    return JanusClient(socket)


def test_starts_without_an_error(janus: RunningDaemon) -> None:
    output = janus.output()
    assert "[ERR]" not in output
    assert "[FATAL]" not in output


def test_reports_its_settings(client: JanusClient) -> None:
    report = client.ask(janus="info")
    expected = {
        "server-name": "talkbutton",
        "api_secret": True,
        "auth_token": True,
        "event_handlers": False,
        "full-trickle": False,
        "ice-lite": False,
        "ice-tcp": False,
        "ipv6": False,
        "local-ip": media_address(),
        "mdns-enabled": False,
        "reclaim-session-timeout": 0,
        "session-timeout": 60,
        "static-event-loops": 4,
    }
    assert {name: report[name] for name in expected} == expected
    assert set(report["plugins"]) == {"janus.plugin.sip"}
    assert set(report["transports"]) == {"janus.transport.websockets"}


def test_reports_its_media_ports(janus: RunningDaemon) -> None:
    ports = SETTINGS.janus.rtp_ports
    assert f"ICE port range: {ports.first}-{ports.last}" in janus.output()
    assert f"Adding '{media_address()}' to the ICE enforce list" in janus.output()


@pytest.mark.parametrize("secret", [None, "", "wrong", API_SECRET[:-1], ADMIN_SECRET])
def test_refuses_everyone_without_the_secret(socket: ClientConnection, secret: str | None) -> None:
    stranger = JanusClient(socket, secret)
    for request in ("create", "attach", "keepalive", "message", "info"):
        answer = stranger.ask(janus=request, session_id=1, plugin="janus.plugin.sip")
        assert answer["janus"] == "error"
        assert answer["error"]["code"] == FORBIDDEN


def test_asks_for_the_secret_on_every_request(socket: ClientConnection) -> None:
    session = JanusClient(socket).session()
    answer = JanusClient(socket, None).ask(
        janus="attach", session_id=session, plugin="janus.plugin.sip"
    )
    assert answer["error"]["code"] == FORBIDDEN


@pytest.mark.parametrize(
    "plugin",
    [
        f"janus.plugin.{name}"
        for name in (
            *("audiobridge", "duktape", "echotest", "lua", "nosip", "recordplay"),
            *("streaming", "textroom", "videocall", "videoroom"),
        )
    ],
)
def test_attaches_no_other_plugin(client: JanusClient, plugin: str) -> None:
    session = client.session()
    answer = client.ask(janus="attach", session_id=session, plugin=plugin)
    assert answer["error"]["code"] == NO_SUCH_PLUGIN


def test_attaches_the_sip_plugin(client: JanusClient) -> None:
    session = client.session()
    answer = client.ask(janus="attach", session_id=session, plugin="janus.plugin.sip")
    assert answer["janus"] == "success"


def test_has_no_admin_api(socket: ClientConnection) -> None:
    for request in ("list_sessions", "set_log_level", "get_status"):
        answer = JanusClient(socket).ask(janus=request, admin_secret=ADMIN_SECRET, level=7)
        assert answer["janus"] == "error"


def test_listens_on_private_addresses_only(janus: RunningDaemon, client: JanusClient) -> None:
    _register_master(client, client.session())
    api = ("tcp", PRIVATE, SETTINGS.janus.api_port)
    wait_until(
        lambda: any(protocol == "udp" for protocol, _, _ in janus.sockets()),
        what=lambda: "a SIP socket",
        within_s=5,
    )
    assert api in janus.sockets()
    assert {address for _, address, _ in janus.sockets()} == {PRIVATE}


def test_writes_no_secret_to_its_log(janus: RunningDaemon) -> None:
    output = janus.output()
    for name in Secrets.model_fields:
        assert f"secret-{name.replace('_', '-')}" not in output


def test_loads_the_echo_test_when_asked_to(tmp_path: Path) -> None:
    settings = _beside()
    with (
        running_daemon("janus", tmp_path, settings=settings, with_echotest=True),
        _connect(settings.janus.api_port) as connection,
    ):
        plugins = JanusClient(connection).ask(janus="info")["plugins"]
    assert set(plugins) == {"janus.plugin.sip", "janus.plugin.echotest"}


def test_announces_the_public_address_of_a_nat(tmp_path: Path) -> None:
    announced = NetworkSettings(announced_address="203.0.113.9")
    settings = _beside().model_copy(update={"network": announced})
    with (
        running_daemon("janus", tmp_path, settings=settings, with_echotest=True) as daemon,
        _connect(settings.janus.api_port) as connection,
    ):
        candidates = _candidates(JanusClient(connection))
        assert "[ERR]" not in daemon.output()
        addresses = {address for _, address, _ in daemon.sockets()}
    assert addresses == {PRIVATE, media_address()}
    assert {candidate.split()[4] for candidate in candidates} == {"203.0.113.9"}
    ports = settings.janus.rtp_ports
    assert all(ports.first <= int(candidate.split()[5]) <= ports.last for candidate in candidates)


def _beside() -> Any:
    """Return settings of a second Janus, while the one that most tests share still runs."""
    settings = SETTINGS.model_dump()
    settings["janus"] |= {
        "api_port": 24189,
        "rtp_ports": {"first": 24700, "last": 24719},
        "sip_rtp_ports": {"first": 24720, "last": 24739},
    }
    return type(SETTINGS).model_validate(settings)


def _connect(port: int) -> ClientConnection:
    return connect(
        f"ws://{PRIVATE}:{port}", subprotocols=[Subprotocol("janus-protocol")], compression=None
    )


def _register_master(client: JanusClient, session: int) -> None:
    """Register the SIP identity as the keeper does, without a REGISTER."""
    handle = client.ask(janus="attach", session_id=session, plugin="janus.plugin.sip")["data"]["id"]
    answer = client.ask(
        janus="message",
        session_id=session,
        handle_id=handle,
        body={
            "request": "register",
            "send_register": False,
            "username": f"sip:talkbutton@{PRIVATE}",
            "secret": "throw-away",
            "proxy": f"sip:{PRIVATE}:{SETTINGS.asterisk.sip_port}",
        },
    )
    assert answer["plugindata"]["data"]["result"]["event"] == "registered", answer


def _candidates(client: JanusClient) -> list[str]:
    """Return the candidate lines of Janus's answer to an offer."""
    session = client.session()
    handle = client.ask(janus="attach", session_id=session, plugin="janus.plugin.echotest")
    offer = Path(__file__).parent.parent / "support" / "chromium_offer.sdp"
    answer = client.ask(
        janus="message",
        session_id=session,
        handle_id=handle["data"]["id"],
        body={"audio": True},
        jsep={"type": "offer", "sdp": offer.read_text()},
    )
    lines: list[str] = answer["jsep"]["sdp"].splitlines()
    return [line for line in lines if line.startswith("a=candidate:")]
