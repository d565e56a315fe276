"""Janus's configuration: the SIP plugin behind a secret, media on one address."""

from ipaddress import ip_address
from pathlib import PurePosixPath

from talkbutton.protocols.janus import JanusLogin
from talkbutton.rules.render.jcfg import JcfgValue, render_jcfg
from talkbutton.rules.render.places import Places
from talkbutton.settings.model import PortRange, Secrets, Settings

__all__ = ["render_janus"]

_PLUGINS = (
    "audiobridge",
    "duktape",
    "echotest",
    "lua",
    "nosip",
    "recordplay",
    "sip",
    "streaming",
    "textroom",
    "videocall",
    "videoroom",
)
_TRANSPORTS = ("http", "mqtt", "nanomsg", "pfunix", "rabbitmq", "websockets")
_LOGGERS = ("jsonlog",)
_EVENT_HANDLERS = ("gelfevh", "mqttevh", "nanomsgevh", "rabbitmqevh", "sampleevh", "wsevh")

_EVENT_LOOPS = 4
"""Threads that carry all media. Janus's default, a thread for each handle, costs more memory and
switching than a call's 50 packets a second are worth."""

_SIP_TIMEOUT_MS = 8_000
"""How long SIP waits for an answer (T1 x 64). Asterisk is a step away: one that is silent for so
long is dead, and the visitor should learn it well before the customary 32 seconds."""

Groups = dict[str, dict[str, JcfgValue]]


def render_janus(
    settings: Settings, secrets: Secrets, places: Places, *, with_echotest: bool = False
) -> dict[PurePosixPath, str]:
    """Return Janus's files by path under its configuration folder.

    Args:
        settings: The deployment.
        secrets: All secrets; only Janus's three are used.
        places: Folders, and the media address.
        with_echotest: Load Janus's echo plugin as well, to measure against.

    Raises:
        SettingsError: If a secret can't be written to the file.
        ValueError: If an address in ``places`` is not one.
    """
    files: dict[str, Groups] = {
        "janus.jcfg": _core(settings, secrets, places, with_echotest=with_echotest),
        "janus.transport.websockets.jcfg": _websockets(settings),
        "janus.plugin.sip.jcfg": _sip(settings),
    }
    if with_echotest:
        files["janus.plugin.echotest.jcfg"] = {"general": {"events": False}}
    return {
        PurePosixPath(name): render_jcfg(groups, file_name=name) for name, groups in files.items()
    }


def _core(settings: Settings, secrets: Secrets, places: Places, *, with_echotest: bool) -> Groups:
    plugins = {"sip", "echotest"} if with_echotest else {"sip"}
    return {
        "general": _general(secrets, places),
        "media": {
            "ipv6": ip_address(places.media_address).version == 6,
            "rtp_port_range": _range(settings.janus.rtp_ports),
            # Two seconds: a visitor's pause with discontinuous Opus is not a lost network.
            "no_media_timer": 2,
        },
        "nat": _nat(settings, places),
        "plugins": {"disable": _all_but(_PLUGINS, plugins)},
        "transports": {"disable": _all_but(_TRANSPORTS, {"websockets"})},
        "loggers": {"disable": _all_but(_LOGGERS, set())},
        "events": {"broadcast": False, "disable": _all_but(_EVENT_HANDLERS, set())},
    }


def _general(secrets: Secrets, places: Places) -> dict[str, JcfgValue]:
    return {
        "log_to_stdout": True,
        "debug_level": 4,
        "debug_timestamps": True,
        "debug_colors": False,
        "daemonize": False,
        "interface": places.media_address,
        "server_name": "talkbutton",
        "hide_dependencies": True,
        # No ``api_secret``: Janus would take it in place of a token.
        "token_auth": True,
        "token_auth_secret": _login(secrets).key,
        "admin_secret": secrets.janus_admin_secret.get_secret_value(),
        "session_timeout": 60,
        # An edge that dies takes its calls with it at once.
        "reclaim_session_timeout": 0,
        "event_loops": _EVENT_LOOPS,
        # A recording's name is a path: with every path protected, no API call writes a file.
        "protected_folders": ["/"],
    }


def _login(secrets: Secrets) -> JanusLogin:
    return JanusLogin(
        secrets.janus_api_secret.get_secret_value(), secrets.janus_token_secret.get_secret_value()
    )


def _nat(settings: Settings, places: Places) -> dict[str, JcfgValue]:
    """Return the ICE settings.

    ICE stays full: Janus's own advice for a 1:1 NAT, since its address is then not public, and
    without a NAT a browser behind a symmetric one is reached by Janus's own checks too.
    """
    nat: dict[str, JcfgValue] = {
        "ice_enforce_list": places.media_address,
        # All of Janus's candidates are in its answer: a page need not wait for more.
        "full_trickle": False,
        "ice_lite": False,
        "ice_tcp": False,
        # A browser's .local names mean nothing here; its checks show its address.
        "ignore_mdns": True,
    }
    if settings.network.announced_address is not None:
        nat |= {
            "nat_1_1_mapping": settings.network.announced_address,
            "keep_private_host": False,
        }
    return nat


def _websockets(settings: Settings) -> Groups:
    return {
        "general": {
            "json": "compact",
            "pingpong_trigger": 20,
            "pingpong_timeout": 10,
            "ws": True,
            "ws_port": settings.janus.api_port,
            "ws_ip": settings.network.private_address,
            "wss": False,
        },
        "admin": {"admin_ws": False, "admin_wss": False},
    }


def _sip(settings: Settings) -> Groups:
    address = settings.network.private_address
    return {
        "general": {
            "local_ip": address,
            "local_media_ip": address,
            "sdp_ip": address,
            "behind_nat": False,
            "keepalive_interval": 0,
            "user_agent": "talkbutton",
            "rtp_port_range": _range(settings.janus.sip_rtp_ports),
            "sip_timer_t1x64": _SIP_TIMEOUT_MS,
            "events": False,
        }
    }


def _range(ports: PortRange) -> str:
    return f"{ports.first}-{ports.last}"


def _all_but(names: tuple[str, ...], kept: set[str]) -> str:
    return ",".join(f"libjanus_{name}.so" for name in names if name not in kept)
