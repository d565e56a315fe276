"""A visitor talks with the bot: real browsers, real audio, nothing faked in between."""

import difflib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser

from support.browser import (
    arm_recorder,
    launch_chromium,
    launch_firefox,
    take_recording,
)
from support.listening import bursts, plain, transcribe
from support.stack import Stack
from support.visitor import Visitor, write_microphone
from talkbutton.bots.local.knowledge import load_knowledge

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

HOURS = "what are your opening hours"
CANADA = "do you ship to Canada"
PREMIUM = "how much does the premium plan cost"
GOODBYE = "thank you goodbye"


def answer_to(question: str, stack: Stack) -> str:
    """Return what the owner's knowledge files answer."""
    entries = load_knowledge(stack.folder / "knowledge")
    by_question = {plain(entry.question): entry.answer for entry in entries}
    return by_question[plain(question)]


def likeness(text: str, wanted: str) -> float:
    """Return the share of the wanted words that stand in the text in order."""
    words, said = plain(wanted).split(), plain(text).split()
    matched = difflib.SequenceMatcher(None, said, words, autojunk=False).get_matching_blocks()
    return sum(block.size for block in matched) / len(words)


@pytest.fixture
def chromium() -> Iterator[Browser]:
    with launch_chromium() as browser:
        yield browser


def test_several_questions_in_one_call(stack: Stack, tmp_path: Path) -> None:
    """B1 B4 V3 A2: the captions show the questions, the recorded voice holds the answers."""
    script = [(9.0, HOURS), (20.0, CANADA), (31.0, PREMIUM), (42.0, GOODBYE)]
    microphone = write_microphone(tmp_path / "microphone.wav", script, length_s=60)
    with launch_chromium(microphone) as browser:
        page = browser.new_context(bypass_csp=True).new_page()
        visitor = Visitor.arrive(page, stack.url, speaks=False)
        arm_recorder(page)
        visitor.press()
        visitor.wait_for_state("in-call")
        visitor.wait_for_state("ended", deadline_s=75)
        assert visitor.end_code() == "bot-hung-up"
        heard = " ".join(visitor.captions("visitor"))
        answers = " ".join(visitor.captions("bot"))
        recording = take_recording(page)
    said = transcribe(recording.bot, recording.rate_hz)
    for question in (HOURS, CANADA, PREMIUM):
        assert likeness(heard, question) > 0.75, f"{question!r} in captions {heard!r}"
        assert likeness(answers, answer_to(question, stack)) > 0.95, answers
        assert likeness(said, answer_to(question, stack)) > 0.75, f"{question!r} in {said!r}"
    stack.wait_for_nothing_left()


def test_firefox_speaks_and_hears(stack: Stack) -> None:
    """B1: the same in Firefox, whose page gets a microphone that plays a recorded question."""
    with launch_firefox() as page:
        visitor = Visitor.arrive(page, stack.url)
        arm_recorder(page)
        visitor.press()
        visitor.wait_for_state("in-call", deadline_s=30)
        visitor.wait_for_caption("bot", "help you")
        visitor.wait_for_bot_silent()
        visitor.say(CANADA)
        visitor.wait_for_caption("visitor", "Canada")
        visitor.wait_for_caption("bot", answer_to(CANADA, stack))
        visitor.wait_for_bot_silent()
        visitor.hang_up()
        visitor.wait_for_state("ended")
        recording = take_recording(page)
    said = transcribe(recording.bot, recording.rate_hz)
    assert likeness(said, answer_to(CANADA, stack)) > 0.75, said
    stack.wait_for_nothing_left()


def test_two_visitors_have_two_conversations(stack: Stack) -> None:
    """J1: no crosstalk of audio or captions between calls at the same time."""
    with launch_chromium() as one, launch_chromium() as other_one:
        pages = [browser.new_context(bypass_csp=True).new_page() for browser in (one, other_one)]
        visitors = [Visitor.arrive(page, stack.url) for page in pages]
        for page, visitor in zip(pages, visitors, strict=True):
            arm_recorder(page)
            visitor.press()
        for visitor in visitors:
            visitor.wait_for_state("in-call")
            visitor.wait_for_caption("bot", "help you")
            visitor.wait_for_bot_silent()
        questions = (HOURS, CANADA)
        for visitor, question in zip(visitors, questions, strict=True):
            visitor.say(question)
        for visitor, question in zip(visitors, questions, strict=True):
            visitor.wait_for_caption("bot", answer_to(question, stack))
            visitor.wait_for_bot_silent()
        recordings = [take_recording(page) for page in pages]
        captions = [" ".join(visitor.captions("bot")) for visitor in visitors]
        asked = [visitor.captions("visitor") for visitor in visitors]
        for visitor in visitors:
            visitor.hang_up()
            visitor.wait_for_state("ended")
    for own, other in ((0, 1), (1, 0)):
        said = transcribe(recordings[own].bot, recordings[own].rate_hz)
        assert likeness(said, answer_to(questions[own], stack)) > 0.75, said
        assert answer_to(questions[other], stack) not in captions[own]
        assert likeness(said, answer_to(questions[other], stack)) < 0.5, said
        assert [likeness(text, questions[own]) > 0.75 for text in asked[own]] == [True], asked
    stack.wait_for_nothing_left()


def test_speaking_over_the_greeting_cuts_it(stack: Stack, chromium: Browser) -> None:
    """V4: the recording shows the bot's voice ending soon after the visitor's begins."""
    page = chromium.new_context(bypass_csp=True).new_page()
    visitor = Visitor.arrive(page, stack.url)
    arm_recorder(page)
    visitor.press()
    visitor.wait_for_state("in-call")
    visitor.wait_for_bot_audible(for_ms=1_500)
    visitor.say(HOURS)
    visitor.wait_for_caption("bot", answer_to(HOURS, stack))
    [interrupted] = stack.wait_for_events("bot.interrupted")
    visitor.hang_up()
    recording = take_recording(page)

    rate_hz = recording.rate_hz
    speech = bursts(recording.microphone, rate_hz, gap_ms=600)[0]
    spoke_at_s = speech.start_s
    before = [b for b in bursts(recording.bot, rate_hz, gap_ms=250) if b.start_s < speech.end_s]
    cut_at_s = before[-1].end_s
    assert spoke_at_s < cut_at_s < spoke_at_s + 1.0, "the voice did not end with the onset"
    whole_greeting_s = float(interrupted.data["queued_ms"] or 0) / 1000
    assert cut_at_s - before[0].start_s < whole_greeting_s - 0.5
    silence = recording.bot[int((cut_at_s + 0.05) * rate_hz) :][: rate_hz // 5]
    assert np.abs(silence).max() < 0.02
