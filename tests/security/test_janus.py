"""Attacks on Janus: from outside, without its secrets, and by a client that has them."""

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath

import pytest
from websockets.sync.client import ClientConnection

from support.daemons import (
    Edit,
    RunningDaemon,
    live_secrets,
    live_settings,
    media_address,
    replaced,
    running_daemon,
)
from support.edge_rig import OFFER, running_edge
from support.ice import binding_request, binding_success
from support.janus_client import LOGIN, JanusClient, connected, current
from talkbutton.errors import ProtocolError
from talkbutton.protocols.janus import mint_token
from talkbutton.protocols.signaling.sdp import parse_offer
from talkbutton.settings.model import Secrets, Settings

pytestmark = pytest.mark.security

SETTINGS = live_settings()
ADMIN_SECRET = live_secrets().janus_admin_secret.get_secret_value()
PRIVATE = SETTINGS.network.private_address
BROWSER_OFFER = (
    (Path(__file__).parent.parent / "support" / "chromium_offer.sdp").read_bytes().decode()
)

CORE = "janus.jcfg"
FORBIDDEN, NO_SUCH_PLUGIN = 403, 460
OTHER_PLUGINS = (
    *("audiobridge", "duktape", "echotest", "lua", "nosip", "recordplay"),
    *("streaming", "textroom", "videocall", "videoroom"),
)


@pytest.fixture(scope="module")
def janus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    folder = tmp_path_factory.mktemp("janus")
    with running_daemon("janus", folder, settings=SETTINGS) as daemon:
        yield daemon


@pytest.fixture
def wire(janus: RunningDaemon) -> Iterator[ClientConnection]:
    assert janus.pid
    with connected(SETTINGS.janus.api_port) as connection:
        yield connection


@contextmanager
def beside(
    folder: Path, guard_off: Edit | None = None, *, with_echotest: bool = False
) -> Iterator[tuple[RunningDaemon, ClientConnection, Settings]]:
    """Run a second Janus, as a rule with a guard switched off."""
    document = SETTINGS.model_dump()
    document["janus"] |= {
        "api_port": 24189,
        "rtp_ports": {"first": 24700, "last": 24719},
        "sip_rtp_ports": {"first": 24720, "last": 24739},
    }
    settings = Settings.model_validate(document)
    with (
        running_daemon(
            "janus", folder, settings=settings, guard_off=guard_off, with_echotest=with_echotest
        ) as daemon,
        connected(settings.janus.api_port) as connection,
    ):
        yield daemon, connection, settings


# From outside


def test_the_api_can_not_be_reached_from_outside(janus: RunningDaemon) -> None:
    assert {address for _, address, _ in janus.sockets()} == {PRIVATE}
    with pytest.raises(ConnectionRefusedError):
        connected(SETTINGS.janus.api_port, media_address())


def test_without_the_guard_the_api_is_reached(tmp_path: Path) -> None:
    edit = replaced("janus.transport.websockets.jcfg", (f'\tws_ip = "{PRIVATE}"\n', ""))
    with (
        beside(tmp_path, edit) as (_, _c, settings),
        connected(settings.janus.api_port, media_address()) as outside,
    ):
        assert JanusClient(outside).ask(janus="info")["janus"] == "server_info"


def test_the_admin_api_is_not_there(janus: RunningDaemon, wire: ClientConnection) -> None:
    for request in ("list_sessions", "set_log_level", "get_status", "add_token"):
        answer = JanusClient(wire).ask(janus=request, admin_secret=ADMIN_SECRET, level=7, token="t")
        assert answer["janus"] == "error", answer
    tcp = {port for protocol, _, port in janus.sockets() if protocol == "tcp"}
    assert tcp == {SETTINGS.janus.api_port}


# Without its secrets


def wrong_logins() -> dict[str, dict[str, str]]:
    """Return what strangers may carry; each lacks one thing that is right."""
    now, right = int(time.time()), current()["token"]
    claims, _, signature = right.partition(":")
    later = claims.replace(claims.split(",")[0], "2000000000")
    api, token = LOGIN.api_secret, LOGIN.token_secret
    return {
        "nothing": {},
        "the API secret": {"apisecret": api},
        "the admin secret": {"apisecret": ADMIN_SECRET, "token": ADMIN_SECRET},
        "an empty token": {"token": ""},
        "a secret for a token": {"token": LOGIN.key},
        "a token without a signature": {"token": claims},
        "a token signed with half the key": {"token": mint_token(token, now_unix=now)},
        "a token signed with the other half": {"token": mint_token(api, now_unix=now)},
        "an expired token": {"token": mint_token(LOGIN.key, now_unix=now - 3_600)},
        "a token with its end put off": {"token": f"{later}:{signature}"},
        "a token of another realm": {"token": right.replace(",janus,", ",admin,")},
    }


@pytest.mark.parametrize("name", wrong_logins())
def test_every_request_without_the_login_is_refused(wire: ClientConnection, name: str) -> None:
    stranger = JanusClient(wire, wrong_logins()[name])
    for request in ("create", "attach", "keepalive", "message", "trickle", "info", "destroy"):
        answer = stranger.ask(janus=request, session_id=1, plugin="janus.plugin.sip")
        assert answer["janus"] == "error", (request, answer)
        assert answer["error"]["code"] == FORBIDDEN, (request, answer)


@pytest.mark.parametrize("name", ["nothing", "the API secret", "an expired token"])
def test_a_session_that_is_open_asks_for_the_login_too(wire: ClientConnection, name: str) -> None:
    session = JanusClient(wire).session()
    stranger = JanusClient(wire, wrong_logins()[name])
    for request in ("attach", "keepalive"):
        answer = stranger.ask(janus=request, session_id=session, plugin="janus.plugin.sip")
        assert answer["error"]["code"] == FORBIDDEN, answer


def test_a_token_of_another_plugin_attaches_nothing(wire: ClientConnection) -> None:
    client = JanusClient(wire, current("janus.plugin.other"))
    answer = client.ask(janus="attach", session_id=client.session(), plugin="janus.plugin.sip")
    assert answer["janus"] == "error", answer


@pytest.mark.parametrize(
    ("guard", "instead", "carried"),
    [
        (r"\ttoken_auth = true\n\ttoken_auth_secret = .*\n", "", "nothing"),
        (r"(\ttoken_auth = true\n)", r'\1\tapi_secret = "known"\n', "the API secret"),
    ],
    ids=["no tokens", "an API secret beside them"],
)
def test_without_the_guard_a_stranger_gets_in(
    tmp_path: Path, guard: str, instead: str, carried: str
) -> None:
    """Janus takes the API secret in place of a token: that is why it has none."""

    def switch_off(files: dict[PurePosixPath, str]) -> None:
        files[PurePosixPath(CORE)] = re.sub(guard, instead, files[PurePosixPath(CORE)])

    with beside(tmp_path, switch_off) as (_, connection, _s):
        login = {} if carried == "nothing" else {"apisecret": "known"}
        assert JanusClient(connection, login).ask(janus="create")["janus"] == "success"


def test_a_flood_of_strangers_opens_nothing_and_keeps_nobody_out(wire: ClientConnection) -> None:
    with ExitStack() as held:
        strangers = [held.enter_context(connected(SETTINGS.janus.api_port)) for _ in range(100)]
        for number in range(20):
            for stranger in strangers:
                stranger.send(json.dumps({"janus": "create", "transaction": f"x{number}"}))
        assert JanusClient(wire).session()
        for stranger in strangers:
            answers = [json.loads(stranger.recv(timeout=20)) for _ in range(20)]
            assert all(answer["error"]["code"] == FORBIDDEN for answer in answers)
    assert JanusClient(wire).ask(janus="info")["janus"] == "server_info"


# With its secrets: what one who took over the edge could ask for


@pytest.mark.parametrize("plugin", OTHER_PLUGINS)
def test_no_other_plugin_is_there(wire: ClientConnection, plugin: str) -> None:
    """Among them those that forward RTP to any address."""
    name = f"janus.plugin.{plugin}"
    client = JanusClient(wire, current(name))
    answer = client.ask(janus="attach", session_id=client.session(), plugin=name)
    assert answer["error"]["code"] == NO_SUCH_PLUGIN, answer


def test_without_the_guard_another_plugin_is_attached(tmp_path: Path) -> None:
    name = "janus.plugin.videoroom"

    def switch_off(files: dict[PurePosixPath, str]) -> None:
        text = files[PurePosixPath(CORE)]
        files[PurePosixPath(CORE)] = re.sub(r",?libjanus_videoroom\.so", "", text)

    with beside(tmp_path, switch_off) as (_, connection, _s):
        client = JanusClient(connection, current(name))
        assert client.handle(client.session(), name)["handle_id"]


@pytest.mark.parametrize("is_on", [True, False], ids=["guard on", "guard off"])
def test_a_recording_can_not_write_a_file(tmp_path: Path, *, is_on: bool) -> None:
    guard_off = (
        None if is_on else replaced(CORE, ('protected_folders = [ "/" ]', "protected_folders = []"))
    )
    own = tmp_path / "janus"
    own.mkdir()
    with (
        beside(own, guard_off) as (_, connection, _s),
        _answering_phone() as phone,
    ):
        client = JanusClient(connection)
        where = client.handle(client.session())
        client.register_guest(where, user="u", proxy=f"sip:{PRIVATE}:{phone.getsockname()[1]}")
        uri = f"sip:7000@{PRIVATE}:{phone.getsockname()[1]}"
        offer = {"type": "offer", "sdp": BROWSER_OFFER}
        client.ask(janus="message", **where, body={"request": "call", "uri": uri}, jsep=offer)
        _answer_invite(phone)
        client.event("accepted")
        body = {
            "request": "recording",
            "action": "start",
            "audio": True,
            "peer_audio": True,
            "filename": "/talkbutton/spool/stolen",
        }
        client.ask(janus="message", **where, body=body)
        written = [path.name for path in (own / "spool").iterdir()]
    assert (written == []) is is_on, written


@pytest.mark.anyio
async def test_a_visitor_names_no_destination_header_or_plugin(tmp_path: Path) -> None:
    """What a browser's offer carries beside its SDP reaches no one."""
    wish = {
        "uri": "sip:0011999@elsewhere",
        "proxy": "sip:elsewhere",
        "headers": {"X-Talkbutton-Ticket": "forged"},
        "plugin": "janus.plugin.videoroom",
        "refer_to": "sip:0011999@elsewhere",
        "filename": "/etc/passwd",
        "request": "rtp_forward",
    }
    async with running_edge(tmp_path) as rig, rig.visitor() as visitor:
        await visitor.say("start", token=await rig.token(), **wish)
        heard = await visitor.hear()
        if heard["type"] == "ready":
            await visitor.say("offer", sdp=OFFER, **wish)
            await rig.until(
                lambda: bool(rig.gateway.calls) or visitor.socket.close_code is not None
            )
        for call in rig.gateway.calls:
            asked = json.dumps(call.asked, default=str)
            assert not any(str(value) in asked for value in wish.values())
            assert call.asked["uri"].startswith("sip:7000@127.0.0.1")


MALFORMED = {
    "empty": "",
    "not SDP": "hello\r\n" * 3,
    "no media": BROWSER_OFFER.split("m=audio")[0],
    "no fingerprint": re.sub(r"a=fingerprint.*\r\n", "", BROWSER_OFFER),
    "no ICE": re.sub(r"a=ice-.*\r\n", "", BROWSER_OFFER),
    "a port beyond": BROWSER_OFFER.replace("m=audio 9 ", "m=audio 99999999999 "),
    "negative numbers": BROWSER_OFFER.replace("m=audio 9 ", "m=audio -1 ").replace(" 111 ", " -9 "),
    "a line of 100 kB": BROWSER_OFFER + f"a=candidate:{'x' * 100_000}\r\n",
    "format strings": BROWSER_OFFER.replace("opus", "%s%n%x" * 20),
    "no line ends": BROWSER_OFFER.replace("\r\n", " "),
    "control characters": BROWSER_OFFER.replace("a=mid:0", "a=mid:\x01\x7f\x02"),
}


@pytest.mark.parametrize("sections", [2, 10, 1_000])
def test_an_offer_of_many_sections_stops_at_the_edge(sections: int) -> None:
    """A thousand made Janus 1.4.1 itself end with a segmentation fault, in one run of three."""
    section = BROWSER_OFFER[BROWSER_OFFER.index("m=audio") :]
    assert parse_offer(BROWSER_OFFER)
    with pytest.raises(ProtocolError):
        parse_offer(BROWSER_OFFER + section * (sections - 1))


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_sdp_does_not_harm_it(janus: RunningDaemon, name: str) -> None:
    """The edge passes on no such thing; this is what Janus does if it ever did."""
    with connected(SETTINGS.janus.api_port) as connection:
        client = JanusClient(connection)
        where = client.handle(client.session())
        client.register_guest(where, user="u", proxy=f"sip:{PRIVATE}:9")
        jsep = {"type": "offer", "sdp": MALFORMED[name]}
        body = {"request": "call", "uri": f"sip:7000@{PRIVATE}:9"}
        answer = client.ask(janus="message", **where, body=body, jsep=jsep)
        assert answer["janus"] in {"error", "event"}
    with connected(SETTINGS.janus.api_port) as other:
        assert JanusClient(other).ask(janus="info")["janus"] == "server_info"
    os.kill(janus.pid, 0)


@pytest.mark.parametrize("is_friend", [False, True], ids=["a third address", "the visitor"])
def test_a_client_hello_counts_only_from_where_ice_was_checked(
    tmp_path: Path, *, is_friend: bool
) -> None:
    """Else a stranger could finish the visitor's handshake first (RFC 8827, section 6.5)."""
    offer = BROWSER_OFFER.replace("a=setup:actpass", "a=setup:active")
    with beside(tmp_path, with_echotest=True) as (daemon, connection, _s):
        name = "janus.plugin.echotest"
        client = JanusClient(connection, current(name))
        where = client.handle(client.session(), name)
        jsep = {"type": "offer", "sdp": offer}
        answer = client.ask(janus="message", **where, body={"audio": True}, jsep=jsep)["jsep"][
            "sdp"
        ]
        assert "a=setup:passive" in answer
        candidate = re.search(r"a=candidate:\S+ 1 udp \d+ (\S+) (\d+)", answer)
        assert candidate is not None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((media_address(), 0))
            sender.connect((candidate[1], int(candidate[2])))
            if is_friend:
                _check_ice(sender, offer, answer)
            assert _is_answered(sender, _client_hello()) is is_friend
        os.kill(daemon.pid, 0)


def _client_hello() -> bytes:
    """Return the first flight of a real DTLS client."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        nobody.settimeout(10)
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        command = ["openssl", "s_client", "-dtls1_2", "-connect", address]
        client = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            return nobody.recv(4_000)
        finally:
            client.kill()
            client.communicate()


def _is_answered(sender: socket.socket, hello: bytes) -> bool:
    """Return whether DTLS comes back within a few retransmissions; STUN does not count."""
    sender.settimeout(0.3)
    for _ in range(10):
        sender.send(hello)
        try:
            while True:
                if 20 <= sender.recv(4_000)[0] <= 63:  # RFC 7983
                    return True
        except (TimeoutError, ConnectionRefusedError):
            continue
    return False


def _check_ice(sender: socket.socket, offer: str, answer: str) -> None:
    """Do the connectivity checks that a browser begins with (RFC 8445, section 7), both ways."""
    theirs = re.search(r"a=ice-ufrag:(\S+)\r\na=ice-pwd:(\S+)", answer)
    ours = re.search(r"a=ice-ufrag:(\S+)\r\na=ice-pwd:(\S+)", offer)
    assert theirs is not None
    assert ours is not None
    sender.settimeout(1)
    are_checked = {"ours": False, "theirs": False}
    for _ in range(30):
        sender.send(binding_request(f"{theirs[1]}:{ours[1]}", theirs[2]))
        try:
            while not all(are_checked.values()):
                heard = sender.recv(4_000)
                if heard[:2] == b"\x01\x01":
                    are_checked["ours"] = True
                elif heard[:2] == b"\x00\x01":
                    sender.send(binding_success(heard, sender.getpeername(), ours[2]))
                    are_checked["theirs"] = True
        except TimeoutError:
            continue
        return
    pytest.fail(f"the checks do not end: {are_checked}")


@contextmanager
def _answering_phone() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind((PRIVATE, 0))
        phone.settimeout(10)
        yield phone


def _answer_invite(phone: socket.socket) -> None:
    """Take the one call that comes, as a phone would."""
    text, caller = phone.recvfrom(65_535)
    while not text.startswith(b"INVITE"):
        text, caller = phone.recvfrom(65_535)
    lines = text.decode().split("\r\n")
    kept = [line for line in lines if line.split(":")[0] in {"Via", "From", "Call-ID", "CSeq"}]
    to = next(line for line in lines if line.startswith("To:"))
    port = phone.getsockname()[1]
    sdp = (
        f"v=0\r\no=- 1 1 IN IP4 {PRIVATE}\r\ns=-\r\nc=IN IP4 {PRIVATE}\r\nt=0 0\r\n"
        f"m=audio {port + 1} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
    )
    head = [
        "SIP/2.0 200 OK",
        *kept,
        f"{to};tag=phone",
        f"Contact: <sip:7000@{PRIVATE}:{port}>",
        "Content-Type: application/sdp",
        f"Content-Length: {len(sdp)}",
    ]
    phone.sendto("\r\n".join([*head, "", sdp]).encode(), caller)


def test_its_log_holds_no_secret(janus: RunningDaemon, wire: ClientConnection) -> None:
    assert JanusClient(wire).session()
    output = janus.output()
    for name in Secrets.model_fields:
        assert f"secret-{name.replace('_', '-')}" not in output
