"""HTTPS by the edge itself: a certificate from files, read anew when they change.

A new certificate goes into the context that the listener uses: new handshakes show it, connections
that are there keep what they have, and calls go on. A pair of files that cannot be used is said
once, and the old certificate stays.

Source: RFC 9325 (recommendations for TLS), section 4.2.
"""

import asyncio
import logging
import ssl
from pathlib import Path

from talkbutton.errors import SettingsError

__all__ = ["Certificate"]

_log = logging.getLogger("talkbutton.edge")

_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # of TLS 1.2; those of 1.3 are all good
_LOOK_S = 2.0

_Stamp = tuple[int, ...]


class Certificate:
    """The context of one listener, kept up to date.

    Args:
        chain: PEM file with the certificate chain.
        key: PEM file with the private key, without a password.

    Raises:
        SettingsError: If they cannot be used.
    """

    def __init__(self, chain: Path, key: Path) -> None:
        self._chain, self._key = chain, key
        self._seen = self._stamp()
        try:
            self.context = _new_context(chain, key)
        except (OSError, ValueError) as exc:
            raise SettingsError(
                "edge.tls_certificate",
                f"and edge.tls_key cannot be used: {_words(exc)}",
                hint="name readable PEM files that belong together, the key without a password",
            ) from exc

    async def keep(self, *, look_s: float = _LOOK_S) -> None:
        """Look for new files until cancelled."""
        while True:
            await asyncio.sleep(look_s)
            self.look()

    def look(self) -> None:
        """Take new files, if there are any that can be used."""
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            # On a context of its own first: a wrong pair must not end up in the one in use.
            _new_context(self._chain, self._key)
            _load(self.context, self._chain, self._key)
        except (OSError, ValueError) as exc:
            _log.error("the new certificate is not used, the old one stays: %s", _words(exc))
        else:
            _log.info("new connections are shown the new certificate")

    def _stamp(self) -> _Stamp:
        found: list[int] = []
        for path in (self._chain, self._key):
            try:
                status = path.stat()
            except OSError:
                continue
            found += [status.st_mtime_ns, status.st_ino, status.st_size]
        return tuple(found)


def _new_context(chain: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    _load(context, chain, key)
    return context


def _load(context: ssl.SSLContext, chain: Path, key: Path) -> None:
    # Without a password here OpenSSL would ask for one on a terminal.
    context.load_cert_chain(chain, key, password=lambda: "")


def _words(exc: Exception) -> str:
    if isinstance(exc, ssl.SSLError):
        return f"OpenSSL says {exc.reason or 'that they are no PEM files'}"
    return getattr(exc, "strerror", None) or str(exc)
