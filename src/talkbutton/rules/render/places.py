"""Where a part finds its folders, and how addresses are written."""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import PurePosixPath

__all__ = ["Places", "host_port"]

_ROOT = PurePosixPath("/talkbutton")


@dataclass(frozen=True, slots=True)
class Places:
    """Folders as a part sees them inside its sandbox, and what only the machine knows.

    Attributes:
        media_address: ``network.media_address`` with ``auto`` resolved to an address.
        config: Folder of the rendered files; the part only reads it.
        run: Sockets and process ids.
        log: Log files, of parts that insist on a folder; logs go to standard output.
        spool: What a part keeps between two starts, and temporary files.
        turn_certificate: PEM file with coturn's certificate chain, if there is one.
        turn_key: PEM file with that certificate's private key.
    """

    media_address: str
    config: PurePosixPath = _ROOT / "config"
    run: PurePosixPath = _ROOT / "run"
    log: PurePosixPath = _ROOT / "log"
    spool: PurePosixPath = _ROOT / "spool"
    turn_certificate: PurePosixPath = _ROOT / "config" / "turn-certificate.pem"
    turn_key: PurePosixPath = _ROOT / "config" / "turn-key.pem"


def host_port(address: str, port: int) -> str:
    """Return ``address:port``, with an IPv6 address in brackets.

    Raises:
        ValueError: If ``address`` is not an IP address.
    """
    return f"[{address}]:{port}" if ip_address(address).version == 6 else f"{address}:{port}"
