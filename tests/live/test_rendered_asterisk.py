"""Asterisk on its rendered files: it is what was asked for, and a caller reaches only the bot."""

import base64
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.sync.client import connect

from support.daemons import RunningDaemon, live_secrets, live_settings, running_daemon
from support.sip_client import SipCaller
from talkbutton.protocols.ticket import Ticket, sign_ticket
from talkbutton.rules.render.asterisk_modules import MODULES
from talkbutton.settings.model import Secrets, SiteSettings

pytestmark = pytest.mark.live

_SITES = {"default": SiteSettings(), "bikes": SiteSettings(extension="7100")}
SETTINGS = live_settings().model_copy(update={"sites": _SITES})
SECRETS = live_secrets()
SIP = (SETTINGS.network.private_address, SETTINGS.asterisk.sip_port)
ARI = f"{SETTINGS.network.private_address}:{SETTINGS.asterisk.http_port}/ari"
PASSWORD = SECRETS.sip_password.get_secret_value()
ARI_LOGIN = f"bridge:{SECRETS.ari_password.get_secret_value()}"


@pytest.fixture(scope="module")
def asterisk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    folder = tmp_path_factory.mktemp("asterisk")
    with running_daemon("asterisk", folder, settings=SETTINGS) as daemon:
        yield daemon


@pytest.fixture
def janus_identity(asterisk: RunningDaemon) -> Iterator[SipCaller]:
    assert asterisk.pid
    with SipCaller(SIP, user="talkbutton", password=PASSWORD) as caller:
        yield caller


def test_starts_without_an_error_or_a_warning(asterisk: RunningDaemon) -> None:
    lines = asterisk.output().splitlines()
    boot = lines[: next(i for i, line in enumerate(lines) if "Asterisk Ready" in line)]
    assert [line for line in boot if "ERROR" in line or "WARNING" in line] == []


def test_loads_exactly_its_modules(asterisk: RunningDaemon) -> None:
    shown = asterisk.asterisk("module show").splitlines()
    loaded = {line.split()[0] for line in shown if ".so " in line and " Running " in line}
    assert loaded == set(MODULES)


def test_reports_the_endpoint_as_it_was_rendered(asterisk: RunningDaemon) -> None:
    shown = asterisk.asterisk("pjsip show endpoint talkbutton")
    reported: dict[str, str] = dict(
        [part.strip() for part in line.split(":", 1)]
        for line in shown.splitlines()
        if " : " in line
    )
    expected = {
        "allow": "(opus|ulaw|alaw)",
        "allow_transfer": "false",
        "allow_overlap": "false",
        "allow_subscribe": "false",
        "auth": "talkbutton",
        "bind_rtp_to_media_address": "true",
        "context": "talkbutton-in",
        "direct_media": "false",
        "force_rport": "true",
        "media_address": SETTINGS.network.private_address,
        "rtp_symmetric": "true",
        "rtp_timeout": "30",
        "trust_id_inbound": "false",
    }
    assert {name: reported[name] for name in expected} == expected


def test_reports_ari_with_one_restricted_user(asterisk: RunningDaemon) -> None:
    assert "Enabled: Yes" in asterisk.asterisk("ari show status")
    users = [line.split() for line in asterisk.asterisk("ari show users").splitlines()[2:]]
    assert users == [["No", "Yes", "bridge"]]  # not read-only, with an access list


def test_reports_the_rtp_range(asterisk: RunningDaemon) -> None:
    shown = asterisk.asterisk("rtp show settings")
    ports = SETTINGS.asterisk.rtp_ports
    assert f"{ports.first}" in shown
    assert f"{ports.last}" in shown
    assert "Strict RTP:      Yes" in shown


def test_listens_on_the_private_address_and_nowhere_else(asterisk: RunningDaemon) -> None:
    assert asterisk.sockets() - _resolver_sockets(asterisk) == {
        ("udp", *SIP),
        ("tcp", SETTINGS.network.private_address, SETTINGS.asterisk.http_port),
    }


@pytest.mark.parametrize("extension", ["7000", "7100"])
def test_answers_503_while_no_bridge_is_there(
    janus_identity: SipCaller, asterisk: RunningDaemon, extension: str
) -> None:
    assert janus_identity.ask("INVITE", extension).status == 503
    assert "0 active channels" in asterisk.asterisk("core show channels")


def test_hands_ticket_and_extension_to_the_bridge(
    janus_identity: SipCaller, asterisk: RunningDaemon
) -> None:
    key = SECRETS.ticket_key.get_secret_value()
    ticket = sign_ticket(Ticket("c" * 20, "bikes", 600, 2_000_000_000), key=key)
    assert _stasis_arguments(janus_identity, "7100", ticket) == [ticket, "7100"]
    assert "0 active channels" in asterisk.asterisk("core show channels")


@pytest.mark.parametrize(
    ("header", "argument"),
    [
        ("a,b", "ab"),
        ("x),Goto(elsewhere,1", "xGotoelsewhere1"),
        ("${SHELL(id)}", "SHELLid"),
        ("a.b-c_d", "a.b-c_d"),
        ('"a" b\\,c', "abc"),
    ],
)
def test_a_forged_ticket_adds_no_argument(
    janus_identity: SipCaller, header: str, argument: str
) -> None:
    assert _stasis_arguments(janus_identity, "7000", header) == [argument, "7000"]


def test_a_call_without_a_ticket_has_an_empty_one(janus_identity: SipCaller) -> None:
    assert _stasis_arguments(janus_identity, "7000", None) == ["", "7000"]


def test_serves_external_media_in_both_codecs(asterisk: RunningDaemon) -> None:
    assert asterisk.pid
    url = f"ws://{ARI}/events?app=talkbutton&subscribeAll=false"
    with connect(url, additional_headers=_basic(ARI_LOGIN), compression=None):
        for codec in ("ulaw", "g722"):
            path = (
                "channels/externalMedia?app=talkbutton&transport=udp&encapsulation=rtp"
                f"&external_host=127.0.0.1:24600&format={codec}"
            )
            channel = _ari(path, "POST")
            variables = channel["channelvars"]
            assert variables["UNICASTRTP_LOCAL_ADDRESS"] == SETTINGS.network.private_address
            port = int(variables["UNICASTRTP_LOCAL_PORT"])
            ports = SETTINGS.asterisk.rtp_ports
            assert ports.first <= port <= ports.last
            assert ("udp", SETTINGS.network.private_address, port) in asterisk.sockets()
            theirs = asterisk.sockets() - _resolver_sockets(asterisk)
            assert {address for _, address, _ in theirs} == {SETTINGS.network.private_address}
            _ari(f"channels/{channel['id']}", "DELETE")


def test_transcodes_between_opus_and_the_bridge(asterisk: RunningDaemon) -> None:
    shown = asterisk.asterisk("core show translation paths opus")
    for codec in ("ulaw", "g722"):
        line = next(line for line in shown.splitlines() if f"To {codec}:" in line)
        assert "No Translation Path" not in line


def test_writes_no_secret_to_its_log(asterisk: RunningDaemon) -> None:
    output = asterisk.output()
    assert output
    for name in Secrets.model_fields:
        assert f"secret-{name.replace('_', '-')}" not in output


def _resolver_sockets(asterisk: RunningDaemon) -> set[tuple[str, str, int]]:
    """Return the two sockets that PJSIP would send DNS queries from; no option closes them."""
    sockets = {socket for socket in asterisk.sockets() if socket[1] in {"0.0.0.0", "::"}}
    assert [protocol for protocol, _, _ in sockets] in (["udp"], ["udp", "udp"])
    return sockets


def _stasis_arguments(caller: SipCaller, extension: str, header: str | None) -> list[str]:
    """Return what the application is called with, and refuse the call."""
    url = f"ws://{ARI}/events?app=talkbutton&subscribeAll=false"
    headers = {} if header is None else {"X_Talkbutton_Ticket": header}
    with connect(url, additional_headers=_basic(ARI_LOGIN), compression=None) as socket:
        call = caller.start("INVITE", extension, **headers)
        while (event := json.loads(socket.recv(timeout=10)))["type"] != "StasisStart":
            pass
        _ari(f"channels/{event['channel']['id']}", "DELETE")
        assert caller.final(call).status >= 400
    arguments: list[str] = event["args"]
    return arguments


def _basic(login: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


def _request(path: str, method: str, login: str | None) -> urllib.request.Request:
    headers = _basic(login) if login else {}
    return urllib.request.Request(f"http://{ARI}/{path}", method=method, headers=headers)


def _ari(path: str, method: str) -> Any:
    with urllib.request.urlopen(_request(path, method, ARI_LOGIN), timeout=5) as answer:
        body = answer.read()
    return json.loads(body) if body else None
