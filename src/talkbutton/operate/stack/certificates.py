"""The edge's certificate: copied into its sandbox, and again whenever the files change.

The edge sees a folder of its own, not where the certificate comes from, which may hold the keys of
others. It looks into that folder by itself; see ``talkbutton.edge.tls``.
"""

import os
import shutil
from pathlib import Path

from talkbutton.errors import SettingsError
from talkbutton.operate.stack.places import Places
from talkbutton.operate.stack.sandbox import Identity
from talkbutton.settings.model import EdgeSettings

__all__ = ["EdgeCertificate"]

_FILE_MAX_BYTES = 1_000_000
_OWNER_ONLY_FOLDER = 0o700
_SECRET_FILE = 0o400


class EdgeCertificate:
    """The files that ``edge.tls_certificate`` and ``edge.tls_key`` name, if they do.

    Args:
        edge: The settings as they were written.
        places: Folders of this deployment.
        identity: Whom the edge runs as.
    """

    def __init__(self, edge: EdgeSettings, places: Places, identity: Identity) -> None:
        self._identity = identity
        self._folder = places.edge_tls
        self._files: dict[str, tuple[Path, Path]] = {}  # by setting: from where, to where
        if edge.tls_certificate is not None and edge.tls_key is not None:
            self._files = {
                "edge.tls_certificate": (
                    places.folder / edge.tls_certificate,
                    places.edge_certificate,
                ),
                "edge.tls_key": (places.folder / edge.tls_key, places.edge_key),
            }
        self._copied: list[tuple[int, ...]] = []

    def copy(self) -> None:
        """Copy both files; nothing without a certificate.

        Raises:
            SettingsError: If one cannot be read.
        """
        if not self._files:
            shutil.rmtree(self._folder, ignore_errors=True)
            return
        self._folder.mkdir(exist_ok=True, mode=_OWNER_ONLY_FOLDER)
        self._own(self._folder)
        stamp = self._stamp()
        contents = {to: _read(key, source) for key, (source, to) in self._files.items()}
        for to, content in contents.items():
            partial = to.with_suffix(".partial")
            partial.unlink(missing_ok=True)
            partial.touch(mode=_SECRET_FILE)
            partial.write_bytes(content)
            self._own(partial)
            partial.rename(to)
        self._copied = stamp

    def look(self) -> str | None:
        """Copy the files if they have changed; return what a person should know, if anything."""
        stamp = self._stamp()
        if stamp == self._copied:
            return None
        try:
            self.copy()
        except (SettingsError, OSError) as exc:
            self._copied = stamp  # say it once
            return f"the changed certificate was not taken: {exc}"
        return "the certificate has changed; the edge takes the new one"

    def _own(self, path: Path) -> None:
        if self._identity.from_root:
            os.chown(path, self._identity.uid, self._identity.gid)

    def _stamp(self) -> list[tuple[int, ...]]:
        found: list[tuple[int, ...]] = []
        for source, _ in self._files.values():
            try:
                status = source.stat()
            except OSError:
                found.append(())
            else:
                found.append((status.st_mtime_ns, status.st_ino, status.st_size))
        return found


def _read(key: str, path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as exc:
        problem = f"is {str(path)!r}, which cannot be read: {exc.strerror}"
        raise SettingsError(key, problem, hint="name a readable PEM file") from exc
    if len(content) > _FILE_MAX_BYTES or b"-----BEGIN " not in content:
        problem = f"is {str(path)!r}, which is no PEM file"
        raise SettingsError(key, problem, hint="name a PEM file")
    return content
