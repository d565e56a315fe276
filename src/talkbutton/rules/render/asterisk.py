"""Asterisk's configuration: one SIP identity, the bot's extensions, and nothing beside them."""

from collections.abc import Callable
from ipaddress import ip_address
from pathlib import PurePosixPath

from talkbutton.protocols.ticket import TICKET_HEADER
from talkbutton.rules.render.asterisk_modules import MODULES
from talkbutton.rules.render.asterisk_sections import Entry, Section, assign, place, render_sections
from talkbutton.rules.render.places import Places, host_port
from talkbutton.settings.model import Secrets, Settings

__all__ = [
    "ARI_APPLICATION",
    "ARI_USER",
    "CONTEXT",
    "SIP_IDENTITY",
    "render_asterisk",
]

ARI_APPLICATION = "talkbutton"
"""The Stasis application that every call enters."""

ARI_USER = "bridge"
"""The one ARI user."""

SIP_IDENTITY = "talkbutton"
"""Endpoint and user name of the one SIP identity."""

CONTEXT = "talkbutton-in"
"""The context that the identity's calls enter."""

_SWITCH_CONGESTION = 42
"""Q.850 cause that Asterisk's SIP channel turns into 503."""

_NORMAL_CLEARING = 16

_CALLS_BEYOND_BRIDGE = 10
"""The bridge refuses calls over its limit and says so; Asterisk's own limit is a floor below."""

_TICKET_CHARACTERS = r"A-Za-z0-9._\-"
"""What a ticket is made of. Others are dropped, so that a header can't add Stasis arguments."""

Write = Callable[[Settings, Secrets, Places], list[Section]]


def render_asterisk(
    settings: Settings, secrets: Secrets, places: Places
) -> dict[PurePosixPath, str]:
    """Return Asterisk's files by path under its configuration folder.

    Raises:
        SettingsError: If a secret can't be written to the file.
    """
    return {
        PurePosixPath(name): render_sections(write(settings, secrets, places), file_name=name)
        for name, write in _FILES.items()
    }


def _asterisk(settings: Settings, _: Secrets, places: Places) -> list[Section]:
    spool = str(places.spool)
    folders = {
        "astetcdir": str(places.config),
        "astrundir": str(places.run),
        "astlogdir": str(places.log),
        "astspooldir": spool,
        "astdbdir": spool,
        "astvarlibdir": spool,
        "astkeydir": spool,
        "astcachedir": spool,
    }
    directories = tuple(
        entry for name, folder in folders.items() for entry in place(name, [folder])
    )
    options = assign(
        verbose=1,
        nocolor="yes",
        hideconnect="yes",
        disable_remote_console_shell="yes",
        live_dangerously="no",
        documentation_language="en_US",
        # Silence would need a transcoder on every call, for moments that last milliseconds.
        transmit_silence="no",
        maxcalls=settings.bridge.calls_max + _CALLS_BEYOND_BRIDGE,
    )
    return [Section("directories", directories), Section("options", options)]


def _modules(*_: object) -> list[Section]:
    return [Section("modules", (*assign(autoload="no"), *place("load", MODULES)))]


def _logger(*_: object) -> list[Section]:
    return [
        Section("general", assign(dateformat="%F %T.%3q", use_callids="yes", queue_log="no")),
        Section("logfiles", place("console", ["notice,warning,error"])),
    ]


def _http(settings: Settings, *_: object) -> list[Section]:
    general = assign(
        enabled="yes",
        servername=None,
        bindaddr=settings.network.private_address,
        bindport=settings.asterisk.http_port,
        sessionlimit=100,
        enable_static="no",
        enable_status="no",
    )
    return [Section("general", general)]


def _ari(settings: Settings, secrets: Secrets, _: Places) -> list[Section]:
    private = settings.network.private_address
    general = assign(
        enabled="yes",
        pretty="no",
        # Milliseconds; the default of 100 drops a bridge that a busy machine made wait.
        websocket_write_timeout=1000,
        channelvars="UNICASTRTP_LOCAL_ADDRESS,UNICASTRTP_LOCAL_PORT",
    )
    user = assign(
        type="user",
        read_only="no",
        password_format="plain",  # noqa: S106 (the name of a format)
        password=secrets.ari_password.get_secret_value(),
        deny=_everyone(private),
        permit=private,
    )
    return [Section("general", general), Section(ARI_USER, user)]


def _everyone(address: str) -> str:
    return "::/0" if ip_address(address).version == 6 else "0.0.0.0/0"


def _rtp(settings: Settings, *_: object) -> list[Section]:
    ports = settings.asterisk.rtp_ports
    general = assign(rtpstart=ports.first, rtpend=ports.last, strictrtp="yes", icesupport="no")
    return [Section("general", general)]


def _pjsip(settings: Settings, secrets: Secrets, _: Places) -> list[Section]:
    address = settings.network.private_address
    return [
        Section(
            "global",
            assign(
                type="global",
                user_agent="talkbutton",
                endpoint_identifier_order="auth_username,username",
            ),
        ),
        Section(
            "transport-private",
            assign(
                type="transport",
                protocol="udp",
                bind=host_port(address, settings.asterisk.sip_port),
            ),
        ),
        Section(
            SIP_IDENTITY,
            assign(
                type="auth",
                auth_type="digest",
                username=SIP_IDENTITY,
                password=secrets.sip_password.get_secret_value(),
            ),
        ),
        # Janus sends from the private address; who sends from another one is not heard at all.
        Section("private-only", assign(type="acl", deny=_everyone(address), permit=address)),
        _endpoint(address),
    ]


def _endpoint(address: str) -> Section:
    entries = assign(
        type="endpoint",
        transport="transport-private",
        context=CONTEXT,
        auth=SIP_IDENTITY,
        disallow="all",
        allow="opus,ulaw,alaw",
        # Media stays on the private address and goes through Asterisk.
        media_address=address,
        bind_rtp_to_media_address="yes",
        direct_media="no",
        rtp_ipv6="yes" if ip_address(address).version == 6 else "no",
        rtp_symmetric="yes",
        force_rport="yes",
        rewrite_contact="yes",
        max_audio_streams=1,
        max_video_streams=0,
        dtmf_mode="rfc4733",
        # Seconds without a packet after which a call that nobody ends is ended.
        rtp_timeout=30,
        rtp_timeout_hold=30,
        # A caller can't transfer, subscribe, dial digit by digit or name another caller.
        allow_transfer="no",
        allow_subscribe="no",
        allow_overlap="no",
        trust_id_inbound="no",
    )
    return Section(SIP_IDENTITY, entries)


def _extensions(settings: Settings, *_: object) -> list[Section]:
    """Return the dialplan.

    There is no catch-all and no ``h``, ``s`` or ``i``: Asterisk answers 404 to an extension that
    isn't here, with a log line, before there is a channel.
    """
    extensions = sorted({site.extension for site in settings.sites.values()})
    general = assign(static="yes", writeprotect="yes", autofallthrough="yes")
    lines = tuple(entry for number in extensions for entry in _extension(number))
    return [Section("general", general), Section(CONTEXT, lines)]


def _extension(number: str) -> tuple[Entry, ...]:
    ticket = f"${{FILTER({_TICKET_CHARACTERS},${{PJSIP_HEADER(read,{TICKET_HEADER})}})}}"
    refused = '$["${STASISSTATUS}" = "FAILED"]'
    stasis = f"Stasis({ARI_APPLICATION},{ticket},{number})"
    hang_up = f"Hangup(${{IF({refused}?{_SWITCH_CONGESTION}:{_NORMAL_CLEARING})}})"
    return place("exten", [f"{number},1,{stasis}"]) + place("same", [f"n,{hang_up}"])


def _features(*_: object) -> list[Section]:
    # Without this, *8 would be a call that picks up another one.
    return [Section("general", assign(pickupexten=None))]


def _switched_off(option: str, value: str = "no") -> Write:
    sections = [Section("general", (Entry(option, value),))]
    return lambda *_: sections


def _indications(*_: object) -> list[Section]:
    # Asterisk wants a country for tones of its own, with one tone at least; nobody hears them.
    return [
        Section("general", assign(country="none")),
        Section("none", assign(description="Silence", ring="0/4000")),
    ]


def _empty(*_: object) -> list[Section]:
    """Return no section: Asterisk takes the lack of the file for an error."""
    return []


_FILES: dict[str, Write] = {
    "asterisk.conf": _asterisk,
    "modules.conf": _modules,
    "logger.conf": _logger,
    "http.conf": _http,
    "ari.conf": _ari,
    "rtp.conf": _rtp,
    "pjsip.conf": _pjsip,
    "extensions.conf": _extensions,
    "features.conf": _features,
    "cdr.conf": _switched_off("enable"),
    "cel.conf": _switched_off("enable"),
    "manager.conf": _switched_off("enabled"),
    "acl.conf": _empty,
    "ccss.conf": _empty,
    "indications.conf": _indications,
    "pjproject.conf": _empty,
    "stasis.conf": _empty,
    "udptl.conf": _empty,
    "websocket_client.conf": _empty,
}
