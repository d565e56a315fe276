"""HTTPS by the edge itself: what it speaks, and how it takes a new certificate in mid-call."""

import asyncio
import json
import logging
import socket
import ssl
import subprocess
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from support.certificates import write_certificate
from support.edge_rig import OFFER, ORIGIN, EdgeRig, running_edge
from talkbutton.edge.tls import Certificate
from talkbutton.errors import SettingsError
from talkbutton.protocols.janus import Ringing

pytestmark = [pytest.mark.security, pytest.mark.anyio]


def anyone() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def shown_name(rig: EdgeRig) -> str:
    """Return the name in the certificate that a new connection is shown."""
    done = await asyncio.create_subprocess_exec(
        *("openssl", "s_client", "-connect", f"127.0.0.1:{rig.port}"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    output, _ = await asyncio.wait_for(done.communicate(), 10)
    subject = next(line for line in output.decode().splitlines() if line.startswith("subject="))
    return subject.rpartition("CN")[2].strip(" =")


@pytest.fixture
async def certificate(tmp_path: Path) -> Certificate:
    return Certificate(*write_certificate(tmp_path))


@pytest.fixture
async def rig(tmp_path: Path, certificate: Certificate) -> AsyncIterator[EdgeRig]:
    async with running_edge(tmp_path, certificate=certificate) as running:
        yield running


def open_socket(rig: EdgeRig) -> connect:
    return connect(
        f"wss://127.0.0.1:{rig.port}/v1/signaling",
        origin=Origin(ORIGIN),
        subprotocols=[Subprotocol("talkbutton.v1")],
        compression=None,
        ssl=anyone(),
    )


async def hear(visitor: ClientConnection) -> str:
    return str(json.loads(await asyncio.wait_for(visitor.recv(), 5))["type"])


@pytest.mark.parametrize(
    ("version", "ciphers", "is_spoken"),
    [
        (ssl.TLSVersion.TLSv1_3, "DEFAULT", True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE+AESGCM", True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE+CHACHA20", True),
        (ssl.TLSVersion.TLSv1_2, "AES128-GCM-SHA256:AES256-SHA:@SECLEVEL=0", False),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0", False),
        (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0", False),
    ],
)
async def test_only_modern_tls_is_spoken(
    rig: EdgeRig, version: ssl.TLSVersion, ciphers: str, *, is_spoken: bool
) -> None:
    context = anyone()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it is old: that is the point
        context.minimum_version = context.maximum_version = version
    context.set_ciphers(ciphers)
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", rig.port, ssl=context)
    except (ssl.SSLError, ConnectionError):
        assert not is_spoken
        return
    found = writer.get_extra_info("ssl_object")
    assert is_spoken, found.cipher()
    writer.close()


async def test_plain_http_is_not_spoken(rig: EdgeRig) -> None:
    with socket.create_connection(("127.0.0.1", rig.port)) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        plain.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            answer = await asyncio.wait_for(loop.sock_recv(plain, 1_000), 5)
        except ConnectionError:
            answer = b""
    assert b"HTTP/1.1 200" not in answer


async def test_a_new_certificate_is_shown_and_the_call_goes_on(
    rig: EdgeRig, certificate: Certificate, tmp_path: Path
) -> None:
    token = await rig.token()
    async with open_socket(rig) as visitor:
        await visitor.send(json.dumps({"type": "start", "token": token}))
        await visitor.send(json.dumps({"type": "offer", "sdp": OFFER}))
        assert await hear(visitor) == "ready"
        await rig.until(lambda: len(rig.gateway.calls) == 1)
        assert await shown_name(rig) == "talk.example"
        write_certificate(tmp_path, "renewed.example")
        certificate.look()
        assert await shown_name(rig) == "renewed.example"
        rig.gateway.calls[0].tell(Ringing())
        assert await hear(visitor) == "ringing"
        assert not rig.gateway.calls[0].is_hung_up


@pytest.mark.parametrize("broken", ["not a certificate", "another key", "gone"])
async def test_a_wrong_new_certificate_is_said_and_the_old_one_stays(
    rig: EdgeRig,
    certificate: Certificate,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    broken: str,
) -> None:
    caplog.set_level(logging.INFO, "talkbutton.edge")
    chain, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    old = chain.read_text(), key.read_text()
    if broken == "not a certificate":
        chain.write_text("nonsense")
    elif broken == "another key":
        write_certificate(tmp_path, "other.example")
        chain.write_text(old[0])
    else:
        key.unlink()
    certificate.look()
    certificate.look()
    said = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(said) == 1
    assert "the old one stays" in said[0].getMessage()
    assert await shown_name(rig) == "talk.example"
    write_certificate(tmp_path, "mended.example")
    certificate.look()
    assert await shown_name(rig) == "mended.example"


async def test_new_files_are_noticed(tmp_path: Path, certificate: Certificate) -> None:
    shown: list[str] = []

    async def until_renewed(rig: EdgeRig) -> None:
        while (name := await shown_name(rig)) != "renewed.example":
            shown.append(name)

    async with running_edge(tmp_path, certificate=certificate) as rig:
        keeping = asyncio.ensure_future(certificate.keep(look_s=0.05))
        write_certificate(tmp_path, "renewed.example")
        await asyncio.wait_for(until_renewed(rig), 8)
        keeping.cancel()


@pytest.mark.parametrize("text", ["", "-----BEGIN CERTIFICATE-----\nAAAA\n", "\x00\xff"])
def test_a_wrong_first_certificate_stops_the_start_with_words(tmp_path: Path, text: str) -> None:
    chain, key = write_certificate(tmp_path)
    chain.write_text(text)
    with pytest.raises(SettingsError, match=r"edge\.tls_certificate and edge\.tls_key cannot"):
        Certificate(chain, key)


def test_a_key_with_a_password_asks_nobody(tmp_path: Path) -> None:
    chain, key = write_certificate(tmp_path)
    locked = tmp_path / "locked.pem"
    made = load_pem_private_key(key.read_bytes(), None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    locked.write_bytes(made)
    with pytest.raises(SettingsError, match="without a password"):
        Certificate(chain, locked)
