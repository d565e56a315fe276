"""coturn under ``talkbutton up``: secrets and certificate change while it relays, and it tells."""

import asyncio
import ssl
import time
from pathlib import Path

import pytest

from support.daemons import media_address, telephony_rootfs
from support.stack import Stack, settings_text, wait_until
from support.turn import certificate, refusal, udp_peer
from support.turn_client import TurnClient, TurnRefused, temporary_credentials
from talkbutton.operate.stack.places import Places
from talkbutton.operate.stack.turn_secrets import apply_turn_secrets
from talkbutton.runtime.journal import JournalReader
from talkbutton.settings.load import load_secrets, load_settings, secrets_path
from talkbutton.settings.secrets_file import read_secrets_file

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

BASE_PORT = 23_000
CALL = "0193abcdef01" + "7" * 20
NAMES = ("c.pem", "k.pem")


def put_certificate(folder: Path, name: str) -> str:
    """Put a pair where the settings look for it, and return the certificate."""
    for path, target in zip(certificate(folder, name), NAMES, strict=True):
        path.replace(folder / target)
    return (folder / NAMES[0]).read_text()


def test_it_changes_under_a_relay_and_tells_of_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    telephony_rootfs()
    folder = tmp_path_factory.mktemp("turn")
    tls = 'tls_certificate = "c.pem"\ntls_key = "k.pem"'
    text = settings_text(BASE_PORT, bot='kind = "echo"', turn=tls)
    (folder / "talkbutton.toml").write_text(text)
    put_certificate(folder, "first")
    stack = Stack(folder, BASE_PORT)
    stack.start()
    try:
        _change_everything(stack, folder)
    finally:
        assert stack.stop() == 0


def _change_everything(stack: Stack, folder: Path) -> None:
    places = Places(folder / "talkbutton.toml")
    settings = load_settings(places.settings, {})
    secrets = load_secrets(secrets_path(places.settings))
    first = secrets.turn_secret.get_secret_value()
    with udp_peer() as peer, _client(first) as living:
        living.allocate()
        living.bind_channel(0x4000, media_address(), peer.getsockname()[1])

        new = put_certificate(folder, "second")
        wait_until(
            "the new certificate is served",
            lambda: ssl.get_server_certificate(("127.0.0.1", BASE_PORT + 2)) == new,
            deadline_s=15,
        )
        assert any("coturn has a new certificate" in line for line in stack.output)

        values = read_secrets_file(secrets_path(places.settings)).values
        second = type(secrets).model_validate(
            values | {"turn_secret": "n" * 32, "turn_secret_previous": first}
        )
        apply_turn_secrets(places, settings, second)
        for secret in (first, "n" * 32):
            with _client(secret) as one:
                one.allocate()
        apply_turn_secrets(
            places, settings, second.model_copy(update={"turn_secret_previous": None})
        )
        with _client(first) as late:
            assert refusal(late.allocate) == 401
        living.send(0x4000, b"still here")
        assert peer.recv(100) == b"still here"
        with pytest.raises(TurnRefused):
            living.permit("8.8.8.8")
    wait_until("the record is whole", lambda: _told(places) >= 6, deadline_s=20)
    assert _names(places) >= {"turn.allocated", "turn.refused", "turn.closed"}


def _client(secret: str) -> TurnClient:
    login = temporary_credentials(secret, CALL, expires_unix=int(time.time()) + 60)
    return TurnClient("127.0.0.1", BASE_PORT + 2, transport="tls", credentials=login)


def _names(places: Places) -> set[str]:
    events = asyncio.run(JournalReader(places.journal).events(CALL))
    assert {event.program for event in events} <= {"turnlog"}
    return {event.name for event in events}


def _told(places: Places) -> int:
    return len(asyncio.run(JournalReader(places.journal).events(CALL)))
