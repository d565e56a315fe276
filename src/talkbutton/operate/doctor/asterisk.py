"""Attacks on the phone system: from strangers, from Janus's own identity, and on ARI.

Source: the dialplan of ``rules/render/asterisk.py``; Asterisk's security documentation.
"""

import asyncio
import base64
import json
from collections.abc import Sequence
from functools import partial

from talkbutton.operate.doctor.http import HttpAnswer, ask_http
from talkbutton.operate.doctor.listening import listens_only, within
from talkbutton.operate.doctor.probe import Broken, Held, NotTried, Outcome, Probe, judge
from talkbutton.operate.doctor.sip_caller import open_caller
from talkbutton.operate.doctor.sockets import OpenSocket, is_port_open
from talkbutton.operate.doctor.target import Target
from talkbutton.rules.render import ARI_USER, SIP_IDENTITY

__all__ = ["asterisk_probes"]

_OK, _UNAUTHORIZED, _NOT_FOUND = 200, 401, 404
_REACHED = range(100, 300)
_EXTENSIONS = (
    *("0", "00", "011", "0113225551234", "+3225551234", "9", "911", "112", "9999", "1"),
    *("*8", "*97", "*98", "*43", "*72", "**7000", "#1", "*0"),
    *("s", "h", "i", "t", "o", "a", "", "voicemail", "operator", "queue", "parkedcalls"),
)
_STRANGERS = ("anonymous", "admin", "100", SIP_IDENTITY)
_METHODS = ("INVITE", "REGISTER", "OPTIONS", "SUBSCRIBE", "MESSAGE", "REFER")
_MANAGER_PORTS = (5038, 5039, 4569, 2000, 2727, 5061)
"""The manager interface, IAX2, SCCP, MGCP, SIP over TLS."""

_RENDERED_HINT = "Run `talkbutton up` again: it renders Asterisk's files anew."
_PRIVATE_HINT = "Set network.private_address to a private address; run `talkbutton up` again."


def asterisk_probes(target: Target) -> list[Probe]:
    """Return the attacks on a deployment's Asterisk and on ARI."""
    return [*_sip_probes(target), *_ari_probes(target)]


def _sip_probes(target: Target) -> list[Probe]:
    extension = _bot_extension(target)
    return [
        Probe(
            "asterisk.works",
            "asterisk",
            f"Control: a call of Janus's identity to the bot's extension {extension}, "
            "cancelled at once.",
            "the extension is there, so that a dead phone system does not look safe",
            "See `talkbutton logs asterisk`.",
            partial(_bot_is_there, target, extension),
        ),
        Probe(
            "asterisk.strangers",
            "asterisk",
            f"{', '.join(_METHODS)} from callers without a password ({', '.join(_STRANGERS)}).",
            "401 to a call, a refusal to others, or silence",
            _RENDERED_HINT,
            partial(_strangers_refused, target),
        ),
        Probe(
            "asterisk.wrong-password",
            "asterisk",
            f"A call of {SIP_IDENTITY} with a wrong password.",
            "401",
            _RENDERED_HINT,
            partial(_wrong_password, target),
        ),
        Probe(
            "asterisk.extensions",
            "asterisk",
            "Calls of Janus's own identity to numbers, feature codes and the usual extensions: "
            f"{', '.join(one or 'nobody' for one in _EXTENSIONS)}.",
            "404 to each, before a channel exists",
            "Only sites.*.extension may stand in extensions.conf; run `talkbutton up` again.",
            partial(_extensions_refused, target),
        ),
        Probe(
            "asterisk.other-methods",
            "asterisk",
            "Registering, subscribing, messaging and transferring with Janus's own identity.",
            "each is refused",
            _RENDERED_HINT,
            partial(_other_methods, target, extension),
        ),
    ]


async def _bot_is_there(target: Target, extension: str) -> Outcome:
    status = await _ask_sip(target, "INVITE", extension, password=_password(target))
    if status is None:
        return NotTried("Asterisk does not answer")
    if status in {_UNAUTHORIZED, _NOT_FOUND}:
        return Broken(f"{extension} answers {status}")
    return Held(f"{extension} exists; the call was ended with {status}")


async def _strangers_refused(target: Target) -> Outcome:
    """All at once: where strangers are answered with silence, each takes its whole time."""
    tries = list(
        dict.fromkeys(
            [("INVITE", user) for user in _STRANGERS] + [(method, "admin") for method in _METHODS]
        )
    )
    extension = _bot_extension(target)
    statuses = await asyncio.gather(
        *(_ask_sip(target, method, extension, user=user, password=None) for method, user in tries)
    )
    broken = [
        f"{method} from {user}: {status}"
        for (method, user), status in zip(tries, statuses, strict=True)
        if status is not None and not _is_refusal(method, status)
    ]
    return judge(f"refused all {len(tries)}", broken, tried=len(tries))


def _is_refusal(method: str, status: int) -> bool:
    """Return whether a stranger got nowhere: a call that is refused later began before."""
    return status == _UNAUTHORIZED if method == "INVITE" else status not in _REACHED


async def _wrong_password(target: Target) -> Outcome:
    status = await _ask_sip(target, "INVITE", _bot_extension(target), password="wrong")  # noqa: S106
    if status is None:
        return NotTried("Asterisk does not answer")
    return judge(f"{status}", [] if status == _UNAUTHORIZED else [f"{status}"], tried=1)


async def _extensions_refused(target: Target) -> Outcome:
    ours = {site.extension for site in target.settings.sites.values()}
    tried = [extension for extension in _EXTENSIONS if extension not in ours]
    broken = []
    for extension in tried:
        status = await _ask_sip(target, "INVITE", extension, password=_password(target))
        if status is None:
            return NotTried("Asterisk does not answer")
        broken += [] if status == _NOT_FOUND else [f"{extension or 'nobody'}: {status}"]
    broken += await _channels_to(target, tried)
    return judge(f"404 to all {len(tried)}, no channel", broken, tried=len(tried))


async def _channels_to(target: Target, extensions: Sequence[str]) -> list[str]:
    answer = await _ask_ari(target, "channels", _ari_login(target))
    if answer.status != _OK:
        return []
    channels = json.loads(answer.body)
    return [
        f"a channel to {extension}"
        for channel in channels
        if (extension := channel.get("dialplan", {}).get("exten")) in extensions
        # An ExternalMedia channel has no extension of its own and stands in "s".
        and str(channel.get("name", "")).startswith("PJSIP/")
    ]


async def _other_methods(target: Target, extension: str) -> Outcome:
    headers = {"Event": "presence", "Expires": "60", "Refer-To": f"<sip:{extension}@localhost>"}
    broken = []
    for method in ("REGISTER", "SUBSCRIBE", "PUBLISH", "MESSAGE", "REFER"):
        status = await _ask_sip(
            target, method, extension, password=_password(target), headers=headers
        )
        if status is None:
            return NotTried("Asterisk does not answer")
        broken += [f"{method}: {status}"] if status in _REACHED else []
    return judge("all 5 refused", broken, tried=5)


async def _ask_sip(
    target: Target,
    method: str,
    extension: str,
    *,
    user: str = SIP_IDENTITY,
    password: str | None,
    headers: dict[str, str] | None = None,
) -> int | None:
    port = target.settings.asterisk.sip_port
    async with open_caller(target.private, port, user=user, password=password) as caller:
        return await caller.ask(method, extension, headers)


def _bot_extension(target: Target) -> str:
    return next(iter(target.settings.sites.values())).extension


def _password(target: Target) -> str:
    return target.secrets.sip_password.get_secret_value()


def _ari_probes(target: Target) -> list[Probe]:
    return [
        Probe(
            "asterisk.ari-works",
            "asterisk",
            "Control: ARI's list of channels, with the bridge's password.",
            "200",
            "See `talkbutton logs asterisk`.",
            partial(_ari_works, target),
        ),
        Probe(
            "asterisk.ari-login",
            "asterisk",
            "ARI without a password, with wrong ones, with the SIP identity's.",
            "401 to each",
            _RENDERED_HINT,
            partial(_ari_login_refused, target),
        ),
        Probe(
            "asterisk.ari-installation",
            "asterisk",
            "Loading modules, reading settings and stored recordings through ARI, with the "
            "bridge's password; Asterisk's status page and files.",
            "each is refused",
            _RENDERED_HINT,
            partial(_ari_installation, target),
        ),
        Probe(
            "asterisk.listens-privately",
            "asterisk",
            "Every socket that Asterisk holds, ARI's port on the media address, the manager "
            "interface and other protocols.",
            "SIP, ARI and RTP on the private address, nothing else",
            _PRIVATE_HINT,
            partial(asyncio.to_thread, _listens_privately, target),
        ),
    ]


def _ari_login(target: Target) -> str:
    return f"{ARI_USER}:{target.secrets.ari_password.get_secret_value()}"


async def _ask_ari(target: Target, resource: str, login: str | None) -> HttpAnswer:
    basic = "" if login is None else base64.b64encode(login.encode()).decode()
    return await ask_http(
        target.private,
        target.settings.asterisk.http_port,
        "GET",
        f"/ari/{resource}",
        headers={"Authorization": f"Basic {basic}"} if login is not None else {},
    )


async def _ari_works(target: Target) -> Outcome:
    answer = await _ask_ari(target, "channels", _ari_login(target))
    return judge("200", [] if answer.status == _OK else [f"{answer.status}"], tried=1)


async def _ari_login_refused(target: Target) -> Outcome:
    logins: dict[str, str | None] = {
        "no password": None,
        "an empty password": f"{ARI_USER}:",
        "a wrong password": f"{ARI_USER}:wrong",
        "a sample's password": "asterisk:asterisk",
        "the SIP identity's password": f"{SIP_IDENTITY}:{_password(target)}",
    }
    broken = []
    for what, login in logins.items():
        status = (await _ask_ari(target, "channels", login)).status
        broken += [] if status == _UNAUTHORIZED else [f"{what}: {status}"]
    return judge(f"401 to all {len(logins)}", broken, tried=len(logins))


async def _ari_installation(target: Target) -> Outcome:
    login = _ari_login(target)
    resources = (
        *("asterisk/modules", "asterisk/info", "asterisk/config/dynamic/res_pjsip/endpoint/x"),
        *("recordings/stored", "../httpstatus", "../static/index.html"),
    )
    broken = []
    for resource in resources:
        status = (await _ask_ari(target, resource, login)).status
        broken += [f"{resource}: {status}"] if status < 400 else []
    return judge(f"refused all {len(resources)}", broken, tried=len(resources))


def _listens_privately(target: Target) -> Outcome:
    settings = target.settings
    http_port, sip_port = settings.asterisk.http_port, settings.asterisk.sip_port
    if target.media != target.private and is_port_open(target.media, http_port):
        return Broken(f"ARI's port {http_port} is open on {target.media}")
    ranges = (settings.asterisk.rtp_ports, settings.janus.rtp_ports, settings.bridge.rtp_ports)

    def is_allowed(one: OpenSocket) -> bool:
        if one.protocol == "tcp":
            return (one.address, one.port) == (target.private, http_port)
        if one.is_everywhere:  # two sockets of its name resolver, which no option closes
            fixed = {sip_port, 5060, *_MANAGER_PORTS}
            return one.port not in fixed and not any(within(ports, one.port) for ports in ranges)
        is_rtp = within(settings.asterisk.rtp_ports, one.port)
        return one.address == target.private and (one.port == sip_port or is_rtp)

    return listens_only(target, "asterisk", is_allowed)
