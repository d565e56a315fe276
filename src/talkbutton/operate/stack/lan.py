"""``up --https``: the demo for a local network, with a certificate of this machine's own making.

Browsers give the microphone to secure pages only. Without a name and a certificate authority, a
self-signed certificate is what there is: browsers warn, and the person must know why.
"""

import socket
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from talkbutton.errors import StackError
from talkbutton.operate.stack import host
from talkbutton.settings.model import EdgeSettings, Settings

__all__ = ["LAN_CERTIFICATE", "LAN_KEY", "https_on_lan", "write_lan_certificate"]

LAN_CERTIFICATE = "talkbutton-demo-certificate.pem"
"""The certificate's file, beside the settings."""

LAN_KEY = "talkbutton-demo-key.pem"
"""Its private key's."""

_PORT = 8_443  # unless another than the default is set
_VALID_FOR = timedelta(days=365)
_RENEW_BEFORE = timedelta(days=7)
_KEY_MODE = 0o600


def https_on_lan(settings: Settings, folder: Path) -> tuple[Settings, list[str]]:
    """Return the settings of a demo for the local network, and what a person should know.

    A certificate of the owner's own is left alone.

    Args:
        settings: The settings as they were written.
        folder: Folder of the settings file, where the certificate goes.

    Raises:
        StackError: If this machine has no address in a network, or the folder cannot be written to.
    """
    address = settings.network.media_address
    if address == "auto":
        address = host.media_address()
    edge = settings.edge
    names = _names()
    said = [f"https for the local network: the edge listens on {address}, not on loopback only"]
    if edge.tls_certificate is None:
        write_lan_certificate(folder, address, names, now=datetime.now(UTC))
        edge = edge.model_copy(update={"tls_certificate": LAN_CERTIFICATE, "tls_key": LAN_KEY})
        said.append(
            "Nobody vouches for this demo's certificate but this machine, so each browser warns "
            "once that the connection is not private. Choose to go on (Advanced, Proceed); what "
            "is sent is encrypted all the same. For a real site take a real certificate."
        )
    shown = f"[{address}]" if ":" in address else address
    port = _PORT if edge.port == EdgeSettings().port else edge.port
    url = f"https://{shown}:{port}"
    origins = (url, *(f"https://{name}:{port}" for name in names))
    sites = {
        name: site.model_copy(
            update={"allowed_origins": tuple(dict.fromkeys((*site.allowed_origins, *origins)))}
        )
        for name, site in settings.sites.items()
    }
    edge = edge.model_copy(update={"listen_address": address, "port": port, "public_url": url})
    return settings.model_copy(update={"edge": edge, "sites": sites}), said


def write_lan_certificate(folder: Path, address: str, names: list[str], *, now: datetime) -> bool:
    """Write a self-signed certificate and its key, unless there are good ones.

    Returns:
        Whether new ones were written.

    Raises:
        StackError: If they cannot be written.
    """
    chain, key_file = folder / LAN_CERTIFICATE, folder / LAN_KEY
    try:
        if key_file.exists() and _is_good(chain, address, now):
            return False
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _self_signed(key, address, names, now)
        key_file.unlink(missing_ok=True)
        key_file.touch(mode=_KEY_MODE)
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        chain.write_bytes(certificate.public_bytes(Encoding.PEM))
    except OSError as exc:
        raise StackError(
            "https", f"{exc.filename} cannot be written: {exc.strerror}", hint="check the folder"
        ) from exc
    return True


def _self_signed(
    key: ec.EllipticCurvePrivateKey, address: str, names: list[str], now: datetime
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "talkbutton demo")])
    addresses = [ip_address(address), ip_address("127.0.0.1"), ip_address("::1")]
    alternatives = [x509.DNSName(name) for name in (*names, "localhost")]
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _VALID_FOR)
        .add_extension(
            x509.SubjectAlternativeName([*map(x509.IPAddress, addresses), *alternatives]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )


def _is_good(chain: Path, address: str, now: datetime) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(chain.read_bytes())
        named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (FileNotFoundError, ValueError, x509.ExtensionNotFound):
        return False
    addresses = named.value.get_values_for_type(x509.IPAddress)
    is_fresh = (
        certificate.not_valid_before_utc <= now <= (certificate.not_valid_after_utc - _RENEW_BEFORE)
    )
    return ip_address(address) in addresses and is_fresh


def _names() -> list[str]:
    """Return this machine's name, and as it is called in a network without a name server."""
    name = socket.gethostname().lower().rstrip(".")
    is_plain = name.isascii() and name.replace("-", "").replace(".", "").isalnum()
    if not is_plain or name in {"localhost", ""}:
        return []
    return [name] if "." in name else [name, f"{name}.local"]
