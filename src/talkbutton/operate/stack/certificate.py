"""coturn's certificate: a copy that its sandbox sees, and a new one while it runs."""

import ssl
from pathlib import Path

from talkbutton.errors import SettingsError
from talkbutton.operate.stack.files import SECRET_FILE, write_file
from talkbutton.operate.stack.places import Places
from talkbutton.operate.stack.sandbox import Identity
from talkbutton.rules.render import Places as RenderPlaces
from talkbutton.settings.model import Settings

__all__ = ["TurnCertificate"]


class TurnCertificate:
    """The certificate and key that the settings name.

    Args:
        settings: The settings in force.
        places: Folders of this deployment.
        identity: Who may read the copies.
    """

    def __init__(self, settings: Settings, places: Places, identity: Identity) -> None:
        rendered = RenderPlaces(settings.network.media_address)
        named = {
            "turn.tls_certificate": (settings.turn.tls_certificate, rendered.turn_certificate),
            "turn.tls_key": (settings.turn.tls_key, rendered.turn_key),
        }
        self._files = {
            key: (places.folder / source, places.config("coturn") / target.name)
            for key, (source, target) in named.items()
            if source is not None
        }
        self._identity = identity
        self._copied = self._stamps()

    def copy(self) -> None:
        """Put the files where coturn sees them.

        Raises:
            SettingsError: If one cannot be read, or they do not belong together.
        """
        self._copied = self._stamps()
        texts = {key: self._read(key, source) for key, (source, _) in self._files.items()}
        if len(self._files) == 2:
            self._check_pair(*(source for source, _ in self._files.values()))
        for key, (_, target) in self._files.items():
            write_file(target, texts[key], SECRET_FILE, self._identity)

    def has_changed(self) -> bool:
        """Return whether the files are others than those that were copied, or tried, last."""
        return self._stamps() != self._copied

    def _stamps(self) -> list[tuple[int, int] | None]:
        return [_stamp(source) for source, _ in self._files.values()]

    def _read(self, key: str, source: Path) -> str:
        try:
            return source.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as exc:
            problem = f"is {source.name!r}, which cannot be read"
            raise SettingsError(key, problem, hint="name a readable PEM file") from exc

    def _check_pair(self, certificate: Path, key: Path) -> None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
        except (OSError, ValueError) as exc:
            raise SettingsError(
                "turn.tls_key",
                f"does not belong to the certificate, or needs a password: {exc}",
                hint="name the key that the certificate was made for",
            ) from exc


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
