"""Attacks on Janus's API: who may use it, from where, and what is loaded.

Source: Janus documentation, "Authenticating the Janus API"; ``apierror.h`` of Janus 1.4.
"""

import asyncio
import base64
import json
import secrets as random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import websockets.asyncio.client
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from talkbutton.errors import ConnectionLost
from talkbutton.operate.doctor.listening import listens_only, within
from talkbutton.operate.doctor.probe import Broken, Held, NotTried, Outcome, Probe, judge
from talkbutton.operate.doctor.sockets import OpenSocket, is_port_open
from talkbutton.operate.doctor.target import Target
from talkbutton.protocols.janus.login import TOKEN_TTL_S, JanusLogin
from talkbutton.settings.addresses import janus_api_url

__all__ = ["janus_probes"]

_UNAUTHORIZED, _NO_SUCH_PLUGIN = 403, 460
_SIP_PLUGIN = "janus.plugin.sip"
_ADMIN_PORTS = (7088, 7188, 7889, 7989, 8089, 8989)
"""Where Janus's other transports and its admin API listen by default."""

_OTHER_PLUGINS = (
    *("audiobridge", "duktape", "echotest", "lua", "nosip", "recordplay", "streaming"),
    *("textroom", "videocall", "videoroom"),
)
_API, _ADMIN = "janus-protocol", "janus-admin-protocol"
_RENDERED_HINT = "Run `talkbutton up` again: it renders Janus's files anew, with the secrets."

Login = Mapping[str, str]


def janus_probes(target: Target) -> list[Probe]:
    """Return the attacks on a deployment's Janus."""
    return [
        Probe(
            "janus.works",
            "janus",
            "Control: Janus's description, asked for with our own credentials.",
            "it is Janus, with the SIP plugin",
            "See `talkbutton logs janus`.",
            partial(_works, target),
        ),
        *_login_probes(target),
        Probe(
            "janus.plugins",
            "janus",
            f"Attaching to every other plugin ({', '.join(_OTHER_PLUGINS)}), with our own secret.",
            "460 (no such plugin) to each",
            "Run `talkbutton up` without --with-echotest; it renders plugins.disable.",
            partial(_other_plugins, target),
        ),
        Probe(
            "janus.admin",
            "janus",
            "The admin API, on the API's port and on the usual ports.",
            "no connection speaks it",
            _RENDERED_HINT,
            partial(_admin_closed, target),
        ),
        Probe(
            "janus.listens-privately",
            "janus",
            "Every socket that Janus holds, and its API's port on the media address.",
            "the API and SIP on the private address, media in its range on the media address",
            "Set network.private_address to a private address; run `talkbutton up` again.",
            partial(asyncio.to_thread, _listens_privately, target),
        ),
    ]


def _login_probes(target: Target) -> list[Probe]:
    """Return the attempts without good credentials.

    Where Janus knows both a secret and tokens, either is enough: each attempt has neither.
    """
    expired = _login(target, now_unix=target.now_unix() - 2 * TOKEN_TTL_S)["token"]
    claims, _, _ = _login(target)["token"].partition(":")
    forged = f"{claims}:{base64.b64encode(random.token_bytes(20)).decode()}"
    cases: dict[str, tuple[str, Login]] = {
        "no-secret": ("without credentials", {}),
        "wrong-secret": ("with a made-up secret", {"apisecret": random.token_hex(24)}),
        "forged-token": ("with a token that we did not sign", {"token": forged}),
        "expired-token": ("with a token that was good until a minute ago", {"token": expired}),
    }
    return [
        Probe(
            f"janus.{name}",
            "janus",
            f"A session {how}.",
            f"{_UNAUTHORIZED}",
            _RENDERED_HINT,
            partial(_session_refused, target, login),
        )
        for name, (how, login) in cases.items()
    ]


def _login(
    target: Target, *, plugin: str = _SIP_PLUGIN, now_unix: int | None = None
) -> dict[str, str]:
    """Return what an honest request carries: a token for one plugin."""
    login = JanusLogin(
        target.secrets.janus_api_secret.get_secret_value(),
        target.secrets.janus_token_secret.get_secret_value(),
    )
    return login.fields(now_unix=now_unix or target.now_unix(), plugin=plugin)


class _Api:
    """One socket to Janus."""

    def __init__(self, socket: websockets.asyncio.client.ClientConnection, login: Login) -> None:
        self._socket, self._login = socket, login

    async def ask(self, request: str, **more: object) -> dict[str, Any]:
        """Return the answer to one request."""
        transaction = random.token_hex(6)
        question = {"janus": request, "transaction": transaction, **self._login, **more}
        await self._socket.send(json.dumps(question))
        while True:
            answer = json.loads(await self._socket.recv())
            if isinstance(answer, dict) and answer.get("transaction") == transaction:
                return answer


@asynccontextmanager
async def _open_api(
    target: Target, login: Login, *, subprotocol: str = _API
) -> AsyncIterator[_Api]:
    try:
        async with websockets.asyncio.client.connect(
            janus_api_url(target.settings),
            subprotocols=[Subprotocol(subprotocol)],
            proxy=None,
            compression=None,
        ) as socket:
            yield _Api(socket, login)
    except (WebSocketException, ValueError) as exc:
        raise ConnectionLost(f"Janus's socket fails: {exc}") from exc


async def _works(target: Target) -> Outcome:
    async with _open_api(target, _login(target)) as api:
        answer = await api.ask("info")
    match answer:
        case {"janus": "server_info", "plugins": dict(plugins)} if _SIP_PLUGIN in plugins:
            return Held(f"Janus {answer.get('version_string', '')} with the SIP plugin".strip())
        case _:
            return Broken(f"its answer is {answer.get('error', answer.get('janus'))}")


async def _session_refused(target: Target, login: Login) -> Outcome:
    async with _open_api(target, login) as api:
        answer = await api.ask("create")
        if session_id := _session_id(answer):
            await api.ask("destroy", session_id=session_id)
    code = _code(answer)
    broken = [] if code == _UNAUTHORIZED else ["a session was made" if session_id else f"{code}"]
    return judge(f"{code}", broken, tried=1)


async def _other_plugins(target: Target) -> Outcome:
    """With a token for each: one for the SIP plugin would hide a plugin that is loaded."""
    broken = []
    async with _open_api(target, _login(target)) as api:
        session_id = _session_id(await api.ask("create"))
        if session_id is None:
            return NotTried("Janus gives us no session")
        for name in _OTHER_PLUGINS:
            plugin = f"janus.plugin.{name}"
            login = _login(target, plugin=plugin)
            answer = await api.ask("attach", session_id=session_id, plugin=plugin, **login)
            code = _code(answer)
            broken += [] if code == _NO_SUCH_PLUGIN else [f"{plugin}: {code or 'attached'}"]
        await api.ask("destroy", session_id=session_id)
    return judge(f"refused all {len(_OTHER_PLUGINS)}", broken, tried=len(_OTHER_PLUGINS))


async def _admin_closed(target: Target) -> Outcome:
    broken = []
    admin = {"admin_secret": target.secrets.janus_admin_secret.get_secret_value()}
    try:
        async with _open_api(target, admin, subprotocol=_ADMIN) as api:
            answer = await api.ask("info")
            broken.append(f"the API's port speaks it: {answer.get('janus')}")
    except ConnectionLost:
        pass  # the subprotocol was refused, or the connection
    broken += await asyncio.to_thread(_open_admin_ports, target)
    return judge("refused on the API's port; the usual ports are closed", broken, tried=1)


def _open_admin_ports(target: Target) -> list[str]:
    ours = {
        target.settings.edge.port,
        target.settings.janus.api_port,
        target.settings.asterisk.http_port,
        target.settings.turn.port,
        target.settings.turn.tls_port,
    }
    found = listens_only(target, "janus", lambda one: one.port not in _ADMIN_PORTS)
    if isinstance(found, Broken):
        return [found.evidence]
    if isinstance(found, Held):
        return []
    # Whose ports they are can't be seen: another program may hold one, but it should not.
    ports = [port for port in _ADMIN_PORTS if port not in ours]
    return [f"port {port} is open" for port in ports if is_port_open(target.private, port)]


def _listens_privately(target: Target) -> Outcome:
    settings = target.settings
    if target.media != target.private and is_port_open(target.media, settings.janus.api_port):
        return Broken(f"the API's port {settings.janus.api_port} is open on {target.media}")

    def is_allowed(one: OpenSocket) -> bool:
        if one.protocol == "tcp":
            return (one.address, one.port) == (target.private, settings.janus.api_port)
        if one.address == target.private:
            return True
        if one.address == target.media:
            return within(settings.janus.rtp_ports, one.port)
        return False

    return listens_only(target, "janus", is_allowed)


def _session_id(answer: Mapping[str, Any]) -> int | None:
    match answer:
        case {"janus": "success", "data": {"id": int(session_id)}}:
            return session_id
    return None


def _code(answer: Mapping[str, Any]) -> int | None:
    match answer:
        case {"error": {"code": int(code)}}:
            return code
    return None
