"""Writes what the parts start from: folders, configuration, secrets, start scripts."""

import os
import shlex
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import cast

from pydantic import BaseModel

from talkbutton.errors import SettingsError, StackError
from talkbutton.operate.stack import host
from talkbutton.operate.stack.certificates import CertificateCopy
from talkbutton.operate.stack.files import SECRET_FILE, write_file
from talkbutton.operate.stack.layout import daemon_sandbox, python_command, python_sandbox
from talkbutton.operate.stack.parts import FOLLOWED, PARTS, Part, parts_for
from talkbutton.operate.stack.places import Places
from talkbutton.operate.stack.ports import LOW_PORTS, listeners
from talkbutton.operate.stack.sandbox import Identity, sandbox_argv
from talkbutton.operate.stack.turn_secrets import write_turn_secrets
from talkbutton.rules.render import TURN_DATABASE, TelephonyPart, render_all, start_command
from talkbutton.rules.render import Places as RenderPlaces
from talkbutton.settings.encode import encode_toml
from talkbutton.settings.model import (
    BridgeSecrets,
    EdgeSecrets,
    EdgeSettings,
    KeeperSecrets,
    Secrets,
    Settings,
)

__all__ = ["prepare", "settings_in_force", "write_secrets"]

_OWNER_ONLY_FOLDER = 0o700
_SCRIPT = 0o500
_ECHOTEST = "janus.plugin.echotest.jcfg"
_SECRETS_OF: Mapping[str, type[BaseModel]] = {
    "edge": EdgeSecrets,
    "keeper": KeeperSecrets,
    "bridge": BridgeSecrets,
}


def settings_in_force(settings: Settings, folder: Path) -> Settings:
    """Return the settings with what only this machine knows filled in.

    ``network.media_address`` is an address, and relative paths start at the root.

    Raises:
        SettingsError: If the knowledge folder would show the bridge every secret.
        StackError: If this machine has no address that browsers could reach.
    """
    address = settings.network.media_address
    if address == "auto":
        address = host.media_address()
    knowledge = folder / settings.bot.knowledge_dir
    if folder.resolve().is_relative_to(knowledge.resolve()):
        raise SettingsError(
            "bot.knowledge_dir",
            f"is {settings.bot.knowledge_dir!r}, which holds the settings and secrets too",
            hint="use a folder of its own, such as knowledge",
        )
    bot = settings.bot.model_copy(update={"knowledge_dir": str(knowledge)})
    network = settings.network.model_copy(update={"media_address": address})
    return settings.model_copy(
        update={"network": network, "bot": bot, "edge": _edge_in_force(settings.edge, folder)}
    )


def _edge_in_force(edge: EdgeSettings, folder: Path) -> EdgeSettings:
    """Return the edge's settings with its certificate where its sandbox has it."""
    if edge.tls_certificate is None:
        return edge
    places = Places(folder.absolute() / "talkbutton.toml")
    copies = {"tls_certificate": str(places.edge_certificate), "tls_key": str(places.edge_key)}
    return edge.model_copy(update=copies)


def prepare(
    settings: Settings,
    secrets: Secrets,
    places: Places,
    rootfs: Path,
    identity: Identity,
    *,
    certificates: Iterable[CertificateCopy],
    with_echotest: bool = False,
) -> None:
    """Write everything the supervisor and the parts need; what an earlier run left is replaced.

    Args:
        settings: The settings in force.
        secrets: All secrets; each part is given its own.
        places: Folders of this deployment.
        rootfs: Where the telephony programs are.
        identity: Whom the parts run as.
        certificates: Those of the edge and of coturn.
        with_echotest: Load Janus's echo plugin too.

    Raises:
        SettingsError: If a file that the settings name cannot be read.
        StackError: If a folder or file cannot be written.
    """
    try:
        _make_folders(places, identity)
        rendered = RenderPlaces(settings.network.media_address)
        files = render_all(settings, secrets, rendered, with_echotest=with_echotest)
        for daemon, texts in files.items():
            _write_config(places.config(daemon), texts, identity)
        _write_turn_secrets(settings, secrets, places, identity)
        for certificate in certificates:
            certificate.copy()
        for part in parts_for(settings):
            _write_part(part, settings, secrets, places, identity)
            _write_start(part, settings, places, rootfs, identity)
    except OSError as exc:
        raise StackError(
            "up",
            f"{exc.filename or places.own} cannot be written: {exc.strerror}",
            hint=f"check the free space and who owns {places.own}; it may be removed when stopped",
        ) from exc


def write_secrets(
    part: Part, settings: Settings, secrets: Secrets, places: Places, identity: Identity
) -> None:
    """Replace the secrets of a part that runs, each file whole; nothing else of it changes.

    Args:
        part: Which.
        settings: The settings in force.
        secrets: All secrets; the part is given its own.
        places: Folders of this deployment.
        identity: Whom the parts run as.

    Raises:
        SettingsError: If a secret cannot be written to its file.
        StackError: If a file cannot be written.
    """
    try:
        if part.kind == "program":
            _write_part_secrets(part, secrets, places, identity)
            return
        folder = places.config(part.name)
        rendered = RenderPlaces(settings.network.media_address)
        has_echotest = (folder / _ECHOTEST).exists()
        files = render_all(settings, secrets, rendered, with_echotest=has_echotest)
        for name, text in files[cast("TelephonyPart", part.name)].items():
            if (folder / name).read_text(encoding="utf-8") != text:
                write_file(folder / name, text, SECRET_FILE, identity)
    except OSError as exc:
        raise StackError(
            part.name,
            f"{exc.filename} cannot be written: {exc.strerror}",
            hint="run it as the user who runs `talkbutton up`",
        ) from exc


def _make_folders(places: Places, identity: Identity) -> None:
    for folder in (places.own, places.run, places.log):
        _make_folder(folder, None)
    _make_folder(places.state, identity)
    _make_folder(places.part_log(FOLLOWED).parent, identity)
    for folder in (places.bus, places.speech, places.state / "cache"):
        _make_folder(folder, identity)
    for socket_path in (*places.bus.glob("*.sock"), *places.speech.glob("*.sock")):
        socket_path.unlink()
    for part in PARTS:
        _make_folder(places.part_start(part.name).parent, None)
        own = places.spool(part.name) if part.kind == "daemon" else places.part_given(part.name)
        _make_folder(own, identity)


def _make_folder(folder: Path, identity: Identity | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(_OWNER_ONLY_FOLDER)
    if identity is not None and identity.from_root:
        os.chown(folder, identity.uid, identity.gid)


def _write_config(folder: Path, texts: Mapping[PurePosixPath, str], identity: Identity) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    _make_folder(folder, identity)
    for name, text in texts.items():
        write_file(folder / name, text, SECRET_FILE, identity)


def _write_turn_secrets(
    settings: Settings, secrets: Secrets, places: Places, identity: Identity
) -> None:
    path = places.config("coturn") / TURN_DATABASE
    write_turn_secrets(path, settings, secrets)
    if identity.from_root:
        os.chown(path, identity.uid, identity.gid)


def _write_part(
    part: Part, settings: Settings, secrets: Secrets, places: Places, identity: Identity
) -> None:
    if part.kind == "daemon":
        return
    document = encode_toml(settings.model_dump(mode="json", exclude_none=True))
    write_file(places.part_settings(part.name), document, SECRET_FILE, identity)
    if part.kind == "program":
        _write_part_secrets(part, secrets, places, identity)


def _write_part_secrets(part: Part, secrets: Secrets, places: Places, identity: Identity) -> None:
    own = {
        name: secret.get_secret_value()
        for name in _SECRETS_OF[part.name].model_fields
        if (secret := getattr(secrets, name)) is not None
    }
    write_file(places.part_secrets(part.name), encode_toml(own), SECRET_FILE, identity)


def _write_start(
    part: Part, settings: Settings, places: Places, rootfs: Path, identity: Identity
) -> None:
    is_low = any(one.part == part.name and one.port < LOW_PORTS for one in listeners(settings))
    if part.kind == "daemon":
        rendered = RenderPlaces(settings.network.media_address)
        sandbox = daemon_sandbox(part, places, rootfs, identity, rendered, binds_low_ports=is_low)
        command = list(start_command(cast("TelephonyPart", part.name), rendered))
    else:
        knowledge = Path(settings.bot.knowledge_dir)
        sandbox = python_sandbox(part, places, identity, knowledge, binds_low_ports=is_low)
        command = python_command(part, places)
    # A crash must write no memory, which holds secrets, to the disk. One byte, not none: Linux
    # gives a dump to a collector such as systemd-coredump unless the limit is one (core(5)).
    argv = ["prlimit", "--core=1:1", *sandbox_argv(sandbox, command)]
    script = f"#!/bin/sh\nexec {shlex.join(argv)}\n"
    write_file(places.part_start(part.name), script, _SCRIPT, None)
