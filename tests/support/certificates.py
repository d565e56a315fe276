"""Certificates for tests, made on the spot."""

import subprocess
from pathlib import Path

__all__ = ["write_certificate"]


def write_certificate(folder: Path, name: str = "talk.example") -> tuple[Path, Path]:
    """Write a self-signed certificate of ``name`` and its key in place of what is there."""
    chain, key = folder / "certificate.pem", folder / "key.pem"
    new_chain, new_key = folder / "new-certificate.pem", folder / "new-key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    files = ["-nodes", "-keyout", str(new_key), "-out", str(new_chain)]
    subprocess.run(
        [*made, *files, "-days", "1", "-subj", f"/CN={name}"], check=True, capture_output=True
    )
    new_key.rename(key)
    new_chain.rename(chain)
    return chain, key
