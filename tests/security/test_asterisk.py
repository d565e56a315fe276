"""Attacks on Asterisk: by strangers, and by whoever took over the Janus identity."""

import asyncio
import base64
import http.client
import json
import random
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from support.daemons import (
    RunningDaemon,
    live_secrets,
    live_settings,
    media_address,
    replaced,
    running_daemon,
    wait_until,
)
from support.sip_client import SipAnswer, SipCaller, SipTransaction
from talkbutton.bridge.ari_link import AriAddress, AriLink, LinkEvents
from talkbutton.protocols.rtp import RtpPacket, encode_packet, parse_packet
from talkbutton.rules.render.asterisk_modules import MODULES
from talkbutton.runtime.aio.backoff import Backoff
from talkbutton.settings.model import SiteSettings

pytestmark = pytest.mark.security

_SITES = {"default": SiteSettings(), "bikes": SiteSettings(extension="7100")}
SETTINGS = live_settings().model_copy(update={"sites": _SITES})
SECRETS = live_secrets()
PRIVATE = SETTINGS.network.private_address
SIP = (PRIVATE, SETTINGS.asterisk.sip_port)
HTTP_PORT = SETTINGS.asterisk.http_port
PASSWORD = SECRETS.sip_password.get_secret_value()
ARI_PASSWORD = SECRETS.ari_password.get_secret_value()
ARI_LOGIN = f"bridge:{ARI_PASSWORD}"
NOT_HEARD_S = 1.5


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


# Strangers


@pytest.mark.parametrize("user", ["talkbutton", "anonymous", "7000", "admin", "100"])
def test_a_scan_learns_nothing_and_is_logged(asterisk: RunningDaemon, user: str) -> None:
    """The one name that exists is answered as those that do not: by asking for a password."""
    before = len(asterisk.output())
    with SipCaller(SIP, user=user, password=None) as stranger:
        for method in ("INVITE", "OPTIONS", "REGISTER", "SUBSCRIBE", "MESSAGE") * 2:
            answer = stranger.ask(method, "7000")
            assert answer.status == 401, method
            assert answer.headers.get("server", "talkbutton") == "talkbutton"
    if user != "talkbutton":  # this one is only asked for its password
        wait_until(
            lambda: "No matching endpoint found" in asterisk.output()[before:],
            what=lambda: "a line about the stranger in the log",
            within_s=5,
        )


def test_a_wrong_password_is_refused_and_logged(asterisk: RunningDaemon) -> None:
    with SipCaller(SIP, user="talkbutton", password="wrong") as stranger:
        assert stranger.ask("INVITE", "7000").status == 401
    wait_until(
        lambda: "Failed to authenticate" in asterisk.output(),
        what=lambda: "a line about the wrong password in the log",
        within_s=5,
    )


def test_without_the_guard_a_stranger_calls_the_bot(tmp_path: Path) -> None:
    edit = replaced("pjsip.conf", ("\nauth = talkbutton\n", "\n"))
    with (
        running_daemon("asterisk", tmp_path, settings=_beside(), guard_off=edit),
        SipCaller(_sip(_beside()), user="talkbutton", password=None) as stranger,
    ):
        assert stranger.ask("INVITE", "7000").status == 503  # no bridge is there


@pytest.mark.parametrize("is_on", [True, False], ids=["guard on", "guard off"])
def test_who_sends_from_another_address_is_not_heard(tmp_path: Path, *, is_on: bool) -> None:
    """Even with the right password."""
    settings = _beside()
    guard = "[private-only]\ntype = acl\n"
    guard_off = (
        None
        if is_on
        else replaced("pjsip.conf", (guard, "[private-only]\ntype = acl\npermit = 0.0.0.0/0\n;"))
    )
    with (
        running_daemon("asterisk", tmp_path, settings=settings, guard_off=guard_off),
        SipCaller(
            _sip(settings), user="talkbutton", password=PASSWORD, source=media_address()
        ) as stranger,
    ):
        if is_on:
            with pytest.raises((TimeoutError, AssertionError)):
                stranger.ask("INVITE", "7000")
        else:
            assert stranger.ask("INVITE", "7000").status == 503


def test_a_flood_of_calls_opens_no_channel_and_keeps_nobody_out(
    asterisk: RunningDaemon, janus_identity: SipCaller
) -> None:
    with SipCaller(SIP, user="flood", password=None) as stranger:
        for _ in range(1_000):
            stranger.start("INVITE", "7000")
    assert janus_identity.ask("INVITE", "7000").status == 503
    assert "0 active channels" in asterisk.asterisk("core show channels")


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\r\n\r\n",
        b"\x00" * 1_400,
        b"INVITE sip:7000@x SIP/2.0\r\n" + b"Via: x\r\n" * 5_000,
        b"INVITE sip:7000@x SIP/2.0\r\nContent-Length: -1\r\n\r\n",
        b"INVITE sip:7000@x SIP/2.0\r\nContent-Length: 99999999999\r\n\r\nx",
        b"INVITE " + b"A" * 60_000 + b" SIP/2.0\r\n\r\n",
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\n\r\n",
    ],
    ids=["empty", "keepalive", "zeros", "many headers", "negative", "huge", "long", "an answer"],
)
def test_malformed_sip_does_not_harm_it(
    asterisk: RunningDaemon, janus_identity: SipCaller, packet: bytes
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((PRIVATE, 0))
        for _ in range(20):
            stranger.sendto(packet, SIP)
    assert janus_identity.ask("INVITE", "7000").status == 503
    assert "0 active channels" in asterisk.asterisk("core show channels")


# The Janus identity

OTHER_EXTENSIONS = [
    *("0", "00", "011", "0113225551234", "+3225551234", "9", "911", "9911", "112", "1"),
    *("*8", "*98", "*97", "*43", "**7000", "#1", "*0", "*72", "vm", "voicemail", "queue", "500"),
    *("7", "700", "70000", "7001", "7001%40elsewhere", "7000%20", "07000", "7000*"),
    *("s", "h", "i", "t", "o", "e", "", "_X.", "talkbutton", "bridge", "7000,1", "7000;x=y"),
]
"""Operator, trunks, emergency, feature codes, voicemail, queues, and tricks of the dialplan."""


@pytest.mark.parametrize("extension", OTHER_EXTENSIONS)
def test_no_other_extension_is_there(
    janus_identity: SipCaller, asterisk: RunningDaemon, extension: str
) -> None:
    before = asterisk.output().count("rejected because extension not found")
    assert janus_identity.ask("INVITE", extension).status == 404
    wait_until(
        lambda: asterisk.output().count("rejected because extension not found") == before + 1,
        what=lambda: f"a line in the log about {extension!r}",
        within_s=5,
    )


def test_without_the_guard_another_extension_is_reached(tmp_path: Path) -> None:
    edit = replaced(
        "extensions.conf", ("[talkbutton-in]\n", "[talkbutton-in]\nexten => _X.,1,Hangup(17)\n")
    )
    with (
        running_daemon("asterisk", tmp_path, settings=_beside(), guard_off=edit),
        SipCaller(_sip(_beside()), user="talkbutton", password=PASSWORD) as caller,
    ):
        assert caller.ask("INVITE", "011322555").status == 486


@pytest.mark.parametrize(
    "method", ["REGISTER", "SUBSCRIBE", "PUBLISH", "MESSAGE", "REFER", "INFO", "UPDATE"]
)
def test_it_does_nothing_but_calls(janus_identity: SipCaller, method: str) -> None:
    headers = {"Event": "presence", "Expires": "60", "Refer_To": "<sip:7000@127.0.0.1>"}
    with SipCaller(SIP, user="talkbutton", password=None) as caller:
        plain = caller.ask(method, "7000", **headers)
    assert plain.status >= 400
    if plain.status == 401:
        assert janus_identity.ask(method, "7000", **headers).status >= 400


REFER = {"Refer_To": f"<sip:7100@{PRIVATE}>", "Referred_By": f"<sip:talkbutton@{PRIVATE}>"}


def test_a_call_that_is_up_can_not_be_transferred(asterisk: RunningDaemon) -> None:
    assert asterisk.pid
    with _call_that_is_up() as (caller, call, answer):
        for method, headers in (("REFER", REFER), ("SUBSCRIBE", {"Event": "dialog"})):
            with pytest.raises(TimeoutError):  # nothing in Asterisk knows what it is
                caller.within(call, answer, method, **headers)
        assert len(_ari("GET", "channels")) == 1
        assert caller.within(call, answer, "BYE").status == 200


def test_without_the_guard_a_call_is_transferred(tmp_path: Path) -> None:
    def switch_off(files: dict[PurePosixPath, str]) -> None:
        replaced("pjsip.conf", ("allow_transfer = no", "allow_transfer = yes"))(files)
        files[PurePosixPath("modules.conf")] += "load => res_pjsip_refer.so\n"

    settings = _beside()
    with (
        running_daemon("asterisk", tmp_path, settings=settings, guard_off=switch_off),
        _call_that_is_up(settings.asterisk.sip_port, settings.asterisk.http_port) as (
            caller,
            call,
            answer,
        ),
    ):
        assert caller.within(call, answer, "REFER", **REFER).status == 202


def test_digits_of_the_caller_start_nothing(asterisk: RunningDaemon) -> None:
    """No module reads feature codes, and none dials, transfers, queues or keeps messages."""
    shown = asterisk.asterisk("module show")
    for name in ("app_dial", "app_transfer", "app_queue", "app_voicemail", "app_directory"):
        assert f"{name}.so" not in MODULES
        assert f"{name}.so" not in shown
    applications = set(
        re.findall(r"^\s+(\w+): ", asterisk.asterisk("core show applications"), re.MULTILINE)
    )
    assert not applications & {"Dial", "Transfer", "Queue", "VoiceMail", "System", "Originate"}


def test_a_redirection_leads_nowhere(asterisk: RunningDaemon) -> None:
    """302 to a call that Asterisk itself makes; only ARI could, and nothing asks it to."""
    assert asterisk.pid
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere,
        _application(),
    ):
        for each in (phone, elsewhere):
            each.bind((PRIVATE, 0))
            each.settimeout(10)
        uri = f"sip:x@{PRIVATE}:{phone.getsockname()[1]}"
        _ari("POST", f"channels?endpoint=PJSIP/talkbutton/{uri}&app=talkbutton")
        invite, server = phone.recvfrom(65_535)
        target = f"sip:011322555@{PRIVATE}:{elsewhere.getsockname()[1]}"
        phone.sendto(_answer(invite, "302 Moved Temporarily", f"Contact: <{target}>"), server)
        while not phone.recv(65_535).startswith(b"ACK"):
            pass
        elsewhere.settimeout(NOT_HEARD_S)
        with pytest.raises(TimeoutError):
            elsewhere.recv(65_535)
    wait_until(
        lambda: "0 active channels" in asterisk.asterisk("core show channels"),
        what=lambda: "no channel left",
        within_s=10,
    )


# ARI


@pytest.mark.parametrize(
    "login", [None, "bridge:wrong", "bridge:", f"talkbutton:{PASSWORD}", f"admin:{ARI_PASSWORD}"]
)
def test_ari_asks_for_the_password(asterisk: RunningDaemon, login: str | None) -> None:
    assert asterisk.pid
    assert _ari_status("channels", ARI_LOGIN) == 200
    assert _ari_status("channels", login) == 401


def test_ari_can_not_change_the_installation(asterisk: RunningDaemon) -> None:
    assert asterisk.pid
    for resource in ("asterisk/modules", "asterisk/info", "asterisk/config/dynamic/res_pjsip"):
        assert _ari_status(resource, ARI_LOGIN) == 404


@pytest.mark.parametrize("is_on", [True, False], ids=["guard on", "guard off"])
def test_ari_hears_nobody_from_another_address(tmp_path: Path, *, is_on: bool) -> None:
    """Even with the right password."""
    settings = _beside()
    guard = f"deny = 0.0.0.0/0\npermit = {PRIVATE}\n"
    guard_off = None if is_on else replaced("ari.conf", (guard, ""))
    port = settings.asterisk.http_port
    with running_daemon("asterisk", tmp_path, settings=settings, guard_off=guard_off):
        assert _ari_status("channels", ARI_LOGIN, port=port) == 200
        status = _ari_status("channels", ARI_LOGIN, port=port, source=media_address())
        assert status == (403 if is_on else 200)


def test_ari_is_not_there_on_other_addresses(asterisk: RunningDaemon) -> None:
    addresses = {address for protocol, address, _ in asterisk.sockets() if protocol == "tcp"}
    assert addresses == {PRIVATE}
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((media_address(), HTTP_PORT), timeout=5)


def test_it_can_not_record(asterisk: RunningDaemon) -> None:
    """No file format is loaded: nothing is recorded, with or without consent."""
    assert asterisk.pid
    with _call_that_is_up() as (_, _c, _a):
        [channel] = _ari("GET", "channels")
        path = f"channels/{channel['id']}/record?name=x&format=wav"
        assert _ari_status(path, ARI_LOGIN, method="POST") >= 400
    assert not list(asterisk.output_path.parent.rglob("*.wav"))


@pytest.mark.anyio
async def test_a_takeover_of_the_application_is_noticed(
    asterisk: RunningDaemon, caplog: pytest.LogCaptureFixture
) -> None:
    """Asterisk lets the last one win: the bridge says so and takes no more calls."""
    assert asterisk.pid
    told: list[str] = []
    link = AriLink(
        AriAddress(PRIVATE, HTTP_PORT, "bridge", ARI_PASSWORD),
        backoff=Backoff(first_s=0.1, max_s=1, random=random.random),
    )
    events = LinkEvents(
        on_up=lambda: told.append("up"),
        on_down=lambda: told.append("down"),
        on_event=lambda event: told.append(type(event).__name__),
    )
    running = asyncio.create_task(link.run(events))
    try:
        async with asyncio.timeout(10):
            while not link.is_up:  # noqa: ASYNC110 - seen from outside
                await asyncio.sleep(0.01)
            with _application():
                while link.is_up:  # noqa: ASYNC110 - seen from outside
                    await asyncio.sleep(0.01)
        assert link.is_taken_over
        assert "took over" in caplog.text
    finally:
        running.cancel()
        await asyncio.wait([running])


# RTP


@pytest.mark.parametrize("is_on", [True, False], ids=["guard on", "guard off"])
def test_rtp_sprayed_at_a_call_is_not_heard(tmp_path: Path, *, is_on: bool) -> None:
    """``strictrtp`` keeps to the source that the call began with."""
    settings = _beside()
    guard_off = None if is_on else replaced("rtp.conf", ("strictrtp = yes", "strictrtp = no"))
    with (
        running_daemon("asterisk", tmp_path, settings=settings, guard_off=guard_off),
        _udp() as caller_rtp,
        _udp() as bot_rtp,
        _udp() as stranger,
        _call_that_is_up(
            settings.asterisk.sip_port, settings.asterisk.http_port, caller_rtp.getsockname()[1]
        ) as (_, _c, answer),
    ):
        http_port = settings.asterisk.http_port
        _bridge_with_media(http_port, bot_rtp.getsockname()[1])
        port = int(re.search(r"m=audio (\d+) ", answer.body)[1])  # type: ignore[index]
        honest, forged = b"\x55" * 160, b"\xaa" * 160
        heard = _say_and_hear(caller_rtp, bot_rtp, port, honest, count=40, first=0)
        assert honest in heard
        heard = _say_and_hear(
            caller_rtp, bot_rtp, port, honest, count=100, first=40, also=(stranger, forged)
        )
        assert honest in heard
        assert (forged in heard) is not is_on


def _say_and_hear(
    caller: socket.socket,
    bot: socket.socket,
    port: int,
    payload: bytes,
    *,
    count: int,
    first: int,
    also: tuple[socket.socket, bytes] | None = None,
) -> set[bytes]:
    """Send 20 ms packets as the caller, maybe with a stranger; return what reaches the bot."""
    heard: set[bytes] = set()
    for number in range(first, first + count):
        caller.sendto(_rtp(number, payload, ssrc=7), (PRIVATE, port))
        if also is not None:
            also[0].sendto(_rtp(number, also[1], ssrc=666), (PRIVATE, port))
        give_up_at = time.monotonic() + 0.02
        while (left_s := give_up_at - time.monotonic()) > 0:
            bot.settimeout(left_s)
            try:
                heard.add(parse_packet(bot.recv(2_048)).payload)
            except TimeoutError:
                break
    return heard


def _rtp(number: int, payload: bytes, *, ssrc: int) -> bytes:
    return encode_packet(RtpPacket(0, number, 160 * number, ssrc, payload))


def _bridge_with_media(http_port: int, bot_port: int) -> None:
    [channel] = _ari("GET", "channels", port=http_port)
    media = _ari(
        "POST",
        "channels/externalMedia?app=talkbutton&format=ulaw&transport=udp&encapsulation=rtp"
        f"&external_host={PRIVATE}:{bot_port}",
        port=http_port,
    )
    bridge = _ari("POST", "bridges?type=mixing", port=http_port)
    wait_until(
        lambda: (
            _ari_status(
                f"bridges/{bridge['id']}/addChannel?channel={channel['id']},{media['id']}",
                ARI_LOGIN,
                port=http_port,
                method="POST",
            )
            == 204
        ),
        what=lambda: "both channels in the bridge",
        within_s=5,
    )


@contextmanager
def _udp() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as each:
        each.bind((PRIVATE, 0))
        yield each


def _beside() -> Any:
    """Return settings of a second Asterisk, while the one that most tests share still runs."""
    document = SETTINGS.model_dump()
    document["asterisk"] |= {
        "sip_port": 24062,
        "http_port": 24090,
        "rtp_ports": {"first": 24740, "last": 24799},
    }
    return type(SETTINGS).model_validate(document)


def _sip(settings: Any) -> tuple[str, int]:
    return PRIVATE, settings.asterisk.sip_port


@contextmanager
def _application(port: int = HTTP_PORT) -> Iterator[ClientConnection]:
    """Be the bridge."""
    url = f"ws://{PRIVATE}:{port}/ari/events?app=talkbutton&subscribeAll=false"
    with connect(
        url, additional_headers=_basic(ARI_LOGIN), compression=None, proxy=None
    ) as connection:
        yield connection


@contextmanager
def _call_that_is_up(
    sip_port: int = SIP[1], http_port: int = HTTP_PORT, rtp_port: int | None = None
) -> Iterator[tuple[SipCaller, SipTransaction, SipAnswer]]:
    """Hold a call that a bridge has answered."""
    with (
        _application(http_port) as events,
        SipCaller(
            (PRIVATE, sip_port), user="talkbutton", password=PASSWORD, rtp_port=rtp_port
        ) as caller,
    ):
        call = caller.start("INVITE", "7000")
        while (event := json.loads(events.recv(timeout=10)))["type"] != "StasisStart":
            pass
        channel = event["channel"]["id"]
        _ari("POST", f"channels/{channel}/answer", port=http_port)
        answer = caller.final(call)
        assert answer.status == 200
        try:
            yield caller, call, answer
        finally:
            _ari_status(f"channels/{channel}", ARI_LOGIN, port=http_port, method="DELETE")


def _answer(request: bytes, status: str, *more: str) -> bytes:
    """Return an answer to a request, as a phone would give it."""
    lines = request.decode().split("\r\n")
    kept = [line for line in lines if line.split(":")[0] in {"Via", "From", "Call-ID", "CSeq"}]
    to = next(line for line in lines if line.startswith("To:"))
    head = [f"SIP/2.0 {status}", *kept, f"{to};tag=phone", *more, "Content-Length: 0", "", ""]
    return "\r\n".join(head).encode()


def _basic(login: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


def _ask(
    method: str, path: str, login: str | None, port: int, source: str | None
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(
        PRIVATE, port, timeout=5, source_address=(source, 0) if source else None
    )
    try:
        connection.request(method, f"/ari/{path}", headers=_basic(login) if login else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _ari(method: str, path: str, *, port: int = HTTP_PORT) -> Any:
    status, body = _ask(method, path, ARI_LOGIN, port, None)
    assert status < 300, (status, body)
    return json.loads(body) if body else None


def _ari_status(
    path: str,
    login: str | None,
    *,
    port: int = HTTP_PORT,
    source: str | None = None,
    method: str = "GET",
) -> int:
    return _ask(method, path, login, port, source)[0]
