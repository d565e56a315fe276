"""Calls through the bridge, with a fake Asterisk that speaks the real ARI WebSocket protocol."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from support.bridge_rig import ScriptedBot, listen_forever, make_ticket, running_bridge
from talkbutton.bots.interface import Line
from talkbutton.errors import BotError
from talkbutton.protocols.ari.steps import CallTiming
from talkbutton.protocols.audio.frame import LINE_FRAME_BYTES, LINE_RATE_HZ, LINE_SILENCE_PCM, Frame
from talkbutton.runtime.bus import BusMessage

pytestmark = [pytest.mark.shell, pytest.mark.anyio]

WORDS = b"\1\0" * (LINE_FRAME_BYTES // 2)
FRAME = Frame(WORDS, LINE_RATE_HZ)


async def test_a_visitor_talks_with_the_bot_until_he_hangs_up(tmp_path: Path) -> None:
    async def greet_and_listen(line: Line) -> None:
        line.say("hello", WORDS)
        line.caption("bot", "hello", "Hello!", is_final=True)
        async for frame in line.hear():
            assert frame == FRAME
            line.report("bot.heard")

    async with running_bridge(tmp_path, script=greet_and_listen) as rig:
        await rig.until_ready()
        call_id, channel_id = await rig.call()
        caption = await rig.message("caption")
        assert caption == BusMessage(
            "caption",
            call_id,
            {"speaker": "bot", "utterance_id": "hello", "text": "Hello!", "final": True},
        )
        bridge_id, members = next(iter(rig.asterisk.bridges.items()))
        assert bridge_id == f"tb-{call_id}-bridge"
        assert members == {channel_id, f"tb-{call_id}-media"}
        assert rig.media[0].peer == ("127.0.0.1", 27418)
        assert rig.media[0].exchange(FRAME) == FRAME
        assert rig.media[0].exchange(FRAME) is None

        await rig.asterisk.hang_up(channel_id)
        ending = await rig.message("call.ending")
        assert (ending.call_id, ending.data) == (call_id, {"cause": "visitor_hung_up"})
        await rig.asterisk.until(lambda: rig.asterisk.is_empty)
        await rig.message("bridge.status", calls=0)
        assert rig.media[0].is_closed

        ended = await rig.ended(call_id)
        assert (ended["cause"], ended["is_clean"]) == ("visitor_hung_up", True)
        assert [event.name for event in await rig.events(call_id)][:6] == [
            "channel.entered",
            "channel.answered",
            "bridge.created",
            "external_media.started",
            "media.started",
            "media.verified",
        ]


async def test_the_bot_hangs_up_by_returning(tmp_path: Path) -> None:
    async def say_nothing(_: Line) -> None:
        return

    async with running_bridge(tmp_path, script=say_nothing) as rig:
        await rig.until_ready()
        call_id, _ = await rig.call()
        await rig.message("call.ending", cause="bot_hung_up")
        await rig.asterisk.until(lambda: rig.asterisk.is_empty)
        assert (await rig.ended(call_id))["cause"] == "bot_hung_up"


async def test_a_bot_that_crashes_harms_its_call_only(tmp_path: Path) -> None:
    async def crash_at_first(_: Line) -> None:
        if len(bot.lines) == 1:
            raise RuntimeError("a bug")
        await asyncio.Event().wait()

    bot = ScriptedBot(crash_at_first)
    async with running_bridge(tmp_path, bot=bot) as rig:
        await rig.until_ready()
        call_id, _ = await rig.call()
        await rig.message("call.ending", cause="bot_unavailable")
        await rig.asterisk.until(lambda: rig.asterisk.is_empty)
        _, other_channel_id = await rig.call()
        assert other_channel_id in rig.asterisk.app_data
        assert (await rig.ended(call_id))["cause"] == "bot_unavailable"
        assert (await rig.recorded("bot.failed", call_id))["error"] == "RuntimeError"


async def test_the_ticket_limits_the_duration(tmp_path: Path) -> None:
    async with running_bridge(tmp_path) as rig:
        await rig.until_ready()
        call_id, ticket = make_ticket(duration_max_s=1)
        await rig.call(ticket)
        await rig.message("call.ending", cause="duration_limit")
        await rig.asterisk.until(lambda: rig.asterisk.is_empty)
        assert rig.bot.cancelled == 1
        assert (await rig.ended(call_id))["cause"] == "duration_limit"


async def test_the_bot_hears_of_the_longest_duration_before_it_comes(tmp_path: Path) -> None:
    left: list[int | None] = []

    async def wait_for_it(line: Line) -> None:
        left.append(await line.ending_soon())
        await listen_forever(line)

    async with running_bridge(tmp_path, script=wait_for_it) as rig:
        await rig.until_ready()
        _, ticket = make_ticket(duration_max_s=2, warning_s=1)
        await rig.call(ticket)
        await rig.message("call.ending", cause="duration_limit")
        assert left == [1]


async def test_consent_comes_with_the_ticket_and_is_on_record(tmp_path: Path) -> None:
    async with running_bridge(tmp_path) as rig:
        await rig.until_ready()
        for has_consent in (True, False):
            call_id, ticket = make_ticket(has_consent=has_consent)
            await rig.call(ticket)
            assert rig.bot.lines[-1].facts.has_consent is has_consent
            assert (await rig.recorded("channel.entered", call_id))["consent"] is has_consent


async def test_a_paid_bot_costs_nothing_until_somebody_speaks(tmp_path: Path) -> None:
    """The way of every bot that pays by the minute: wait for ``spoken``, then open its session."""
    paid: list[str] = []

    async def open_paid_session(line: Line) -> None:
        if await line.spoken():
            paid.append(line.facts.call_id)
            await listen_forever(line)

    async with running_bridge(tmp_path, script=open_paid_session) as rig:
        await rig.until_ready()
        noise = np.random.default_rng(7).normal(0, 100, 320).astype("<i2").tobytes()
        for _ in range(2):
            await rig.call()
        silent, spoken = rig.media
        for pcm in [LINE_SILENCE_PCM] * 500 + [noise] * 500:  # 20 s
            silent.exchange(Frame(pcm, LINE_RATE_HZ))
            spoken.exchange(Frame(pcm, LINE_RATE_HZ))
        await asyncio.sleep(0)
        assert paid == []
        voice = Frame(b"\0\20" * (LINE_FRAME_BYTES // 2), LINE_RATE_HZ)
        for _ in range(10):
            spoken.exchange(voice)
        await rig.recorded("visitor.spoke", rig.bot.lines[1].facts.call_id)
        assert paid == [rig.bot.lines[1].facts.call_id]
    assert paid == [rig.bot.lines[1].facts.call_id]  # the end of a silent call costs nothing


async def test_the_edge_hangs_up_one_call(tmp_path: Path) -> None:
    async with running_bridge(tmp_path) as rig:
        await rig.until_ready()
        call_id, channel_id = await rig.call()
        _, other_channel_id = await rig.call()
        rig.bus.publish(BusMessage("call.hang_up", call_id, {"cause": "gateway_unavailable"}))
        await rig.asterisk.until(lambda: channel_id not in rig.asterisk.app_data)
        await rig.asterisk.until(lambda: len(rig.asterisk.bridges) == 1)
        assert other_channel_id in rig.asterisk.app_data
        assert (await rig.ended(call_id))["cause"] == "gateway_unavailable"


async def test_broken_media_ends_the_call(tmp_path: Path) -> None:
    async with running_bridge(tmp_path) as rig:
        await rig.until_ready()
        call_id, _ = await rig.call()
        rig.media[0].broken.set()
        await rig.message("call.ending", cause="media_lost")
        await rig.asterisk.until(lambda: rig.asterisk.is_empty)
        assert (await rig.ended(call_id))["cause"] == "media_lost"


async def test_a_call_without_audio_never_reaches_the_bot(tmp_path: Path) -> None:
    timing = CallTiming(media_late_s=0.05, media_wait_max_s=0.2)
    async with running_bridge(tmp_path, timing=timing) as rig:
        rig.media_flows = False
        await rig.until_ready()
        call_id, ticket = make_ticket()
        await rig.asterisk.place_call(ticket)
        await rig.message("call.ending", cause="media_lost")
        await rig.asterisk.until(lambda: rig.asterisk.is_empty)
        assert rig.bot.lines == []
        assert (await rig.recorded("media.went_silent", call_id))["wait_ms"]


@pytest.mark.parametrize("ticket", ["", "garbage", "used"])
async def test_a_caller_without_a_good_ticket_is_refused(tmp_path: Path, ticket: str) -> None:
    async with running_bridge(tmp_path) as rig:
        await rig.until_ready()
        if ticket == "used":
            _, ticket = make_ticket()
            await rig.call(ticket)
        calls = len(rig.bot.lines)
        channel_id = await rig.asterisk.place_call(ticket)
        await rig.asterisk.until(lambda: channel_id not in rig.asterisk.app_data)
        assert f"POST channels/{channel_id}/answer" not in rig.asterisk.requests
        assert len(rig.bot.lines) == calls
        assert (await rig.recorded("ticket.refused"))["channel_id"] == channel_id


async def test_one_call_too_many_is_turned_away(tmp_path: Path) -> None:
    async with running_bridge(tmp_path, calls_max=1) as rig:
        await rig.until_ready()
        _, channel_id = await rig.call()
        await rig.message("bridge.status", ready=False, calls=1)
        call_id, ticket = make_ticket()
        too_many = await rig.asterisk.place_call(ticket)
        ending = await rig.message("call.ending", cause="bot_unavailable")
        assert ending.call_id == call_id
        await rig.asterisk.until(lambda: too_many not in rig.asterisk.app_data)
        assert channel_id in rig.asterisk.app_data


async def test_no_free_port_turns_the_caller_away(tmp_path: Path) -> None:
    async with running_bridge(tmp_path) as rig:
        rig.ports_free = 0
        await rig.until_ready()
        call_id, ticket = make_ticket()
        await rig.asterisk.place_call(ticket)
        await rig.message("call.ending", cause="line_unavailable")
        await rig.asterisk.until(lambda: rig.asterisk.is_empty)
        assert (await rig.ended(call_id))["cause"] == "line_unavailable"


async def test_a_bot_that_is_not_ready_yet_takes_no_calls(tmp_path: Path) -> None:
    bot = ScriptedBot(listen_forever)
    bot.open_failures = [BotError("the voice model is missing: run the installation again")] * 2
    async with running_bridge(tmp_path, bot=bot) as rig:
        await rig.message("bridge.status", bot_ready=False, line_ready=True, ready=False)
        _, ticket = make_ticket()
        await rig.asterisk.place_call(ticket)
        await rig.message("call.ending", cause="bot_unavailable")
        await rig.asterisk.until(lambda: rig.asterisk.is_empty)
        await rig.until_ready()
        await rig.call()


@pytest.mark.parametrize(
    "request_name",
    [
        "POST channels/1795414467.1/answer",
        "POST bridges/tb-",
        "POST channels/externalMedia",
        "GET channels/tb-",
    ],
)
async def test_a_request_that_fails_leaves_nothing_behind(
    tmp_path: Path, request_name: str
) -> None:
    timing = CallTiming(setup_max_s=0.5)
    async with running_bridge(tmp_path, timing=timing) as rig:
        await rig.until_ready()
        rig.asterisk.refused[request_name] = 500
        if request_name.startswith("GET"):
            rig.asterisk.channelvars = {}
        call_id, ticket = make_ticket()
        await rig.asterisk.place_call(ticket)
        await rig.message("call.ending", cause="line_unavailable")
        await rig.asterisk.until(lambda: rig.asterisk.is_empty)
        assert (await rig.ended(call_id))["is_clean"] is True


@pytest.mark.parametrize("requests_seen", range(6))
async def test_stopped_at_any_moment_it_leaves_nothing_behind(
    tmp_path: Path, requests_seen: int
) -> None:
    async with running_bridge(tmp_path) as rig:
        await rig.until_ready()
        await rig.asterisk.until(lambda: "GET bridges" in rig.asterisk.requests)
        so_far = len(rig.asterisk.requests)
        _, ticket = make_ticket()
        await rig.asterisk.place_call(ticket)
        await rig.asterisk.until(lambda: len(rig.asterisk.requests) >= so_far + requests_seen)
        await rig.stop()
        assert rig.asterisk.is_empty


async def test_stopped_it_hangs_up_all_calls_and_says_why(tmp_path: Path) -> None:
    async with running_bridge(tmp_path) as rig:
        await rig.until_ready()
        calls = [await rig.call() for _ in range(3)]
        await rig.stop()
        assert rig.asterisk.is_empty
        assert rig.bot.cancelled == 3
        endings = [await rig.message("call.ending", cause="bot_unavailable") for _ in calls]
        assert {ending.call_id for ending in endings} == {call_id for call_id, _ in calls}


async def test_an_asterisk_that_stopped_answering_does_not_hold_the_bridge(tmp_path: Path) -> None:
    timing = CallTiming(teardown_max_s=0.1)
    async with running_bridge(tmp_path, timing=timing) as rig:
        await rig.until_ready()
        call_id, _ = await rig.call()
        _, other_channel_id = await rig.call()
        rig.asterisk.unanswered = ["DELETE", "GET"]
        rig.bus.publish(BusMessage("call.hang_up", call_id, {"cause": "visitor_hung_up"}))
        assert (await rig.ended(call_id))["is_clean"] is False
        async with asyncio.timeout(5):
            await rig.stop()
        assert other_channel_id in rig.asterisk.app_data
