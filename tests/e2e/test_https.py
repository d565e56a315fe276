"""B1 S5: a call over https on the local network, with a certificate that changes in mid-call."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.browser import launch_chromium, launch_firefox
from support.certificates import write_certificate
from support.stack import Stack, settings_text, wait_until
from support.visitor import Visitor
from talkbutton.operate.stack.host import media_address
from talkbutton.operate.stack.lan import LAN_CERTIFICATE, LAN_KEY

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

BASE_PORT = 17_000
WORDS = "I would like to book an appointment for Tuesday at three"


@dataclass
class LanStack(Stack):
    """The stack as ``make demo HTTPS=1`` starts it."""

    @property
    def url(self) -> str:
        return f"https://{media_address()}:{self.base}"


@pytest.fixture(scope="module")
def lan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanStack]:
    folder = tmp_path_factory.mktemp("lan")
    (folder / "talkbutton.toml").write_text(settings_text(BASE_PORT, bot='kind = "echo"'))
    stack = LanStack(folder, BASE_PORT)
    stack.start("--https")
    try:
        yield stack
    finally:
        assert stack.stop() == 0


def shown_certificate(stack: Stack) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    address = (media_address(), stack.base)
    with (
        socket.create_connection(address, timeout=5) as plain,
        context.wrap_socket(plain) as secure,
    ):
        return secure.getpeercert(binary_form=True) or b""


def renew(folder: Path) -> None:
    new = folder / f"new-{datetime.now(UTC).timestamp()}"
    new.mkdir()
    chain, key = write_certificate(new, "renewed.example")
    key.rename(folder / LAN_KEY)
    chain.rename(folder / LAN_CERTIFICATE)


def call(visitor: Visitor, stack: Stack) -> None:
    visitor.press()
    visitor.wait_for_state("in-call", deadline_s=30)
    before = shown_certificate(stack)
    renew(stack.folder)
    wait_until(
        "a new certificate is shown", lambda: shown_certificate(stack) != before, deadline_s=15
    )
    assert visitor.state() == "in-call"
    visitor.begin_to_say(WORDS)
    visitor.wait_for_bot_audible()
    visitor.hang_up()
    visitor.wait_for_state("ended")


def test_the_warning_is_announced(lan: LanStack) -> None:
    said = "".join(lan.output)
    assert "each browser warns once" in " ".join(said.split())
    assert f"Open {lan.url}" in said


def test_a_call_from_chromium(lan: LanStack) -> None:
    with launch_chromium(flags=["--ignore-certificate-errors"]) as browser:
        call(Visitor.arrive(browser.new_page(), lan.url), lan)


def test_a_call_from_firefox(lan: LanStack) -> None:
    with launch_firefox() as page:
        call(Visitor.arrive(page, lan.url), lan)
