"""T6: real calls from other people's networks, heard at both ends by machine.

The whole stack runs at the server's end with the echo bot; a real browser sits with the visitor.
What the visitor says must come back through every leg and be understood.
"""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.browser import CHROMIUM, arm_recorder, launch_chromium, take_recording
from support.listening import transcribe
from support.stack import Stack
from support.visitor import Visitor
from talkbutton.operate.natlab.lab import Lab, running_lab
from talkbutton.operate.natlab.network import NETWORKS
from talkbutton.operate.natlab.plan import SERVER_V4

pytestmark = [pytest.mark.netns, pytest.mark.timeout(240)]

SENTENCE = "I would like to book an appointment for Tuesday at three"
BASE_PORT = 20_000


@contextmanager
def stack_in(lab: Lab, folder: Path) -> Iterator[Stack]:
    stack = Stack.make(
        folder, BASE_PORT, host=SERVER_V4, inside=lab.inside("server", []), bot='kind = "echo"'
    )
    stack.start()
    try:
        yield stack
    finally:
        assert stack.stop() == 0


def chromium_in(lab: Lab, folder: Path) -> Path:
    """Return a program that starts Chromium where the visitor sits."""
    script = folder / "chromium.sh"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(lab.inside("visitor", [CHROMIUM]))} "$@"\n')
    script.chmod(0o755)
    return script


def call_from(lab: Lab, folder: Path) -> dict[str, Any]:
    """Call from the lab's visitor, say a sentence, and return the path and what was heard."""
    with (
        stack_in(lab, folder) as stack,
        launch_chromium(program=chromium_in(lab, folder), secure_origins=[stack.url]) as browser,
    ):
        context = browser.new_context(bypass_csp=True)
        visitor = Visitor.arrive(context.new_page(), stack.url)
        arm_recorder(visitor.page)
        visitor.press()
        visitor.wait_for_state("in-call", deadline_s=40)
        visitor.say(SENTENCE)
        visitor.wait_for_bot_silent()
        stats = stack.wait_for_events("browser.stats")[-1].data
        heard = take_recording(visitor.page)
        visitor.hang_up()
        visitor.wait_for_state("ended")
        context.close()
    said = transcribe(heard.bot, heard.rate_hz)
    return {"said": said, **stats}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("symmetric", "prflx"),
        ("no-udp", "relay"),
    ],
)
def test_a_call_from(name: str, path: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_lab(NETWORKS[name]) as lab:
        found = call_from(lab, tmp_path_factory.mktemp("net"))
    assert "appointment for tuesday" in found["said"]
    assert found["local_candidate_type"] == path
