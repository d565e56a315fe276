import asyncio

import pytest

from talkbutton.bots.interface import CallFacts, Heard, Line
from talkbutton.bridge.line import CallLine
from talkbutton.events import Scalar
from talkbutton.protocols.audio.frame import LINE_FRAME_BYTES, LINE_RATE_HZ, Frame

pytestmark = [pytest.mark.shell, pytest.mark.anyio]

FACTS = CallFacts("0193" * 8, "default", "7000", 600)
WORDS = b"\1\0" * (LINE_FRAME_BYTES // 2)


class Outside:
    """What a line told the world."""

    def __init__(self) -> None:
        self.captions: list[tuple[str, str, str, bool]] = []
        self.events: list[tuple[str, dict[str, Scalar]]] = []


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
def line(outside: Outside) -> CallLine:
    line = CallLine(
        FACTS,
        publish_caption=lambda *caption: outside.captions.append(caption),
        report_event=lambda *event: outside.events.append(event),
    )
    line.deliver(frame(999))  # before the bot listens: never heard
    line.open()
    return line


def frame(number: int) -> Frame:
    return Frame(number.to_bytes(2, "little") * (LINE_FRAME_BYTES // 2), LINE_RATE_HZ)


def test_is_the_line_that_bots_expect(line: CallLine) -> None:
    as_bots_see_it: Line = line
    assert as_bots_see_it.facts == FACTS


async def test_nobody_waits_for_speech_after_the_end(line: CallLine, outside: Outside) -> None:
    waiting = asyncio.create_task(line.spoken())
    for number in range(50):
        line.deliver(frame(number))
    await asyncio.sleep(0)
    assert not waiting.done()
    line.close()
    assert await waiting is False
    assert outside.events == []


async def test_the_first_speech_is_told_once_and_no_sound_of_it_is_lost(
    line: CallLine, outside: Outside
) -> None:
    for _ in range(10):
        line.deliver(frame(4_000))
    assert await line.spoken() is True
    assert outside.events == [("visitor.spoke", {})]
    heard = line.hear()
    assert [(await anext(heard)).pcm for _ in range(10)] == [frame(4_000).pcm] * 10


async def test_the_end_comes_soon_or_came(line: CallLine) -> None:
    waiting = asyncio.create_task(line.ending_soon())
    line.end_soon(30)
    assert await waiting == 30
    unwarned = CallLine(FACTS, publish_caption=lambda *_: None, report_event=lambda *_: None)
    unwarned.close()
    assert await unwarned.ending_soon() is None


async def test_hears_frames_in_order_until_the_end(line: CallLine) -> None:
    heard: list[Frame] = []

    async def listen() -> None:
        async for each in line.hear():
            heard.append(each)
            if len(heard) == 3:
                line.close()

    line.deliver(frame(0))
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        tasks.create_task(listen())
        await asyncio.sleep(0)
        line.deliver(frame(1))
        line.deliver(frame(2))
    assert heard == [frame(0), frame(1), frame(2)]


async def test_a_slow_reader_loses_the_oldest_frames(line: CallLine) -> None:
    for number in range(130):
        line.deliver(frame(number))
    line.close()
    heard = [each async for each in line.hear()]
    assert heard == [frame(number) for number in range(30, 130)]
    assert line.dropped_frames == 30


async def test_drained_waits_for_the_last_frame(line: CallLine) -> None:
    await line.drained()
    line.say("a", WORDS * 2)
    assert line.is_speaking
    waiting = asyncio.create_task(line.drained())
    for _ in range(2):
        await asyncio.sleep(0)
        assert not waiting.done()
        assert line.next_frame() == Frame(WORDS, LINE_RATE_HZ)
    async with asyncio.timeout(5):
        await waiting
    assert not line.is_speaking
    assert line.played_ms("a") == 40


async def test_a_cut_drains_and_tells_what_was_heard(line: CallLine) -> None:
    line.say("a", WORDS * 3)
    line.next_frame()
    assert line.cut() == [Heard("a", 20, 60)]
    async with asyncio.timeout(5):
        await line.drained()
    assert line.next_frame() is None


async def test_the_end_releases_everybody(line: CallLine) -> None:
    line.say("a", WORDS)
    waiting = asyncio.create_task(line.drained())
    await asyncio.sleep(0)
    line.close()
    async with asyncio.timeout(5):
        await waiting
    line.say("b", WORDS)
    line.deliver(frame(1))
    assert line.next_frame() is None
    assert [each async for each in line.hear()] == []


def test_the_first_audio_is_reported_once(line: CallLine, outside: Outside) -> None:
    assert line.next_frame() is None
    assert outside.events == []
    line.say("a", WORDS * 2)
    line.next_frame()
    line.next_frame()
    assert outside.events == [("bot.first_audio_sent", {})]


def test_captions_and_reports_go_out(line: CallLine, outside: Outside) -> None:
    line.caption("visitor", "u1", "x" * 5_000, is_final=True)
    line.report("bot.heard", wait_ms=7)
    assert outside.captions == [("visitor", "u1", "x" * 2_000, True)]
    assert outside.events == [("bot.heard", {"wait_ms": 7})]
