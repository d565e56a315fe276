"""Certificates of the edge and of coturn: copied to where their sandboxes see them.

A part sees a copy, not where the certificate comes from, which may hold the keys of others. When
the owner's files change, both are copied anew, as a pair or not at all.
"""

import os
import shutil
import ssl
from collections.abc import Mapping
from pathlib import Path

from talkbutton.errors import SettingsError
from talkbutton.operate.stack.files import SECRET_FILE, write_file
from talkbutton.operate.stack.places import Places
from talkbutton.operate.stack.sandbox import Identity
from talkbutton.rules.render import Places as RenderPlaces
from talkbutton.settings.model import EdgeSettings, Settings

__all__ = ["CertificateCopy", "edge_certificate", "turn_certificate"]

_FILE_MAX_BYTES = 1_000_000
_OWNER_ONLY_FOLDER = 0o700

Files = Mapping[str, tuple[Path, Path]]
"""By setting, the certificate's first, then the key's: where from, where to."""


class CertificateCopy:
    """One part's certificate and key, if the settings name them.

    Attributes:
        part: Whose they are.

    Args:
        part: Whose they are.
        files: Both files; empty without a certificate.
        identity: Who may read the copies.
    """

    def __init__(self, part: str, files: Files, identity: Identity) -> None:
        self.part = part
        self._files = files
        self._identity = identity
        self._tried = self._stamps()

    def copy(self) -> None:
        """Put the files where the part sees them; nothing without a certificate.

        Raises:
            SettingsError: If one cannot be read, or they do not belong together.
        """
        self._tried = self._stamps()
        texts = {key: _read(key, source) for key, (source, _) in self._files.items()}
        if self._files:
            _check_pair(self._files)
        for key, (_, target) in self._files.items():
            write_file(target, texts[key], SECRET_FILE, self._identity)

    def has_changed(self) -> bool:
        """Return whether the files are others than those that were copied, or tried, last."""
        return self._stamps() != self._tried

    def _stamps(self) -> list[tuple[int, ...]]:
        return [_stamp(source) for source, _ in self._files.values()]


def edge_certificate(edge: EdgeSettings, places: Places, identity: Identity) -> CertificateCopy:
    """Return the edge's, with a folder for its copy; the edge itself looks into it for changes.

    Args:
        edge: The settings as they were written.
        places: Folders of this deployment.
        identity: Whom the edge runs as.
    """
    if edge.tls_certificate is None or edge.tls_key is None:
        shutil.rmtree(places.edge_tls, ignore_errors=True)
        return CertificateCopy("edge", {}, identity)
    places.edge_tls.mkdir(exist_ok=True, parents=True, mode=_OWNER_ONLY_FOLDER)
    if identity.from_root:
        os.chown(places.edge_tls, identity.uid, identity.gid)
    files = {
        "edge.tls_certificate": (places.folder / edge.tls_certificate, places.edge_certificate),
        "edge.tls_key": (places.folder / edge.tls_key, places.edge_key),
    }
    return CertificateCopy("edge", files, identity)


def turn_certificate(settings: Settings, places: Places, identity: Identity) -> CertificateCopy:
    """Return coturn's; it must be told of a change by SIGUSR2."""
    turn, rendered = settings.turn, RenderPlaces(settings.network.media_address)
    if turn.tls_certificate is None or turn.tls_key is None:
        return CertificateCopy("coturn", {}, identity)
    folder = places.config("coturn")
    files = {
        "turn.tls_certificate": (
            places.folder / turn.tls_certificate,
            folder / rendered.turn_certificate.name,
        ),
        "turn.tls_key": (places.folder / turn.tls_key, folder / rendered.turn_key.name),
    }
    return CertificateCopy("coturn", files, identity)


def _read(key: str, path: Path) -> str:
    hint = "name a readable PEM file"
    try:
        content = path.read_bytes()
    except OSError as exc:
        problem = f"is {str(path)!r}, which cannot be read: {exc.strerror}"
        raise SettingsError(key, problem, hint=hint) from exc
    if len(content) > _FILE_MAX_BYTES or b"-----BEGIN " not in content or not content.isascii():
        raise SettingsError(key, f"is {str(path)!r}, which is no PEM file", hint=hint)
    return content.decode("ascii")


def _check_pair(files: Files) -> None:
    (certificate_setting, (certificate, _)), (key_setting, (key, _)) = files.items()
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as exc:
        raise SettingsError(
            key_setting,
            f"does not belong to {certificate_setting}, or needs a password: {exc}",
            hint="name the key that the certificate was made for",
        ) from exc


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_ino, found.st_size
