"""The ARI connection breaks and comes back."""

import asyncio
import logging
from pathlib import Path

import pytest

from support.bridge_rig import ARI_PASSWORD, listen_forever, make_ticket, running_bridge
from support.fake_asterisk import FakeAsterisk, fake_asterisk
from talkbutton.bridge.ari_link import AriAddress, AriLink, LinkEvents
from talkbutton.errors import AriError, ConnectionLost
from talkbutton.protocols.ari.commands import list_bridges, list_channels
from talkbutton.protocols.ari.events import Event, StasisStart
from talkbutton.protocols.ari.requests import AriRequests
from talkbutton.runtime.aio.backoff import Backoff
from talkbutton.runtime.journal import JournalReader

pytestmark = [pytest.mark.shell, pytest.mark.anyio]

ORPHAN = "0193" * 8


def add_orphans(asterisk: FakeAsterisk) -> None:
    asterisk.app_data |= {
        "1.1": "talkbutton,ticket,7000",
        f"tb-{ORPHAN}-media": "talkbutton",
        "1.2": "another-application",
    }
    asterisk.bridges |= {f"tb-{ORPHAN}-bridge": set(), "somebody-elses": set()}


async def test_ends_what_an_earlier_life_left_and_nothing_else(tmp_path: Path) -> None:
    async with running_bridge(tmp_path, prepare=add_orphans) as rig:
        await rig.asterisk.until(lambda: rig.asterisk.app_data.keys() == {"1.2"})
        await rig.asterisk.until(lambda: rig.asterisk.bridges.keys() == {"somebody-elses"})


async def test_a_call_lives_through_a_break_of_the_link(tmp_path: Path) -> None:
    async with running_bridge(tmp_path) as rig:
        await rig.until_ready()
        call_id, channel_id = await rig.call()
        await rig.asterisk.drop_connections()
        await rig.asterisk.until(lambda: rig.asterisk.is_ready)
        lists = rig.asterisk.requests.count("GET bridges")
        await rig.asterisk.until(lambda: rig.asterisk.requests.count("GET bridges") >= lists)
        await rig.message("bridge.status", calls=1, ready=True)
        assert rig.asterisk.bridges[f"tb-{call_id}-bridge"] == {
            channel_id,
            f"tb-{call_id}-media",
        }
        await rig.asterisk.hang_up(channel_id)
        await rig.message("call.ending", cause="visitor_hung_up")
        await rig.asterisk.until(lambda: rig.asterisk.is_empty)


async def test_a_call_that_died_during_the_break_is_ended(tmp_path: Path) -> None:
    async with running_bridge(tmp_path) as rig:
        await rig.until_ready()
        call_id, channel_id = await rig.call()
        await rig.asterisk.drop_connections()
        del rig.asterisk.app_data[channel_id]
        ending = await rig.message("call.ending", cause="line_unavailable")
        assert ending.call_id == call_id
        await rig.asterisk.until(lambda: rig.asterisk.is_empty)


async def test_a_new_call_after_the_break_is_like_any_other(tmp_path: Path) -> None:
    async with running_bridge(tmp_path) as rig:
        await rig.until_ready()
        await rig.asterisk.drop_connections()
        await rig.asterisk.until(lambda: rig.asterisk.is_ready)
        await rig.call()


async def test_another_client_of_the_application_is_an_alarm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_bridge(tmp_path) as rig:
        await rig.until_ready()
        await rig.asterisk.replace_application()
        await rig.message("bridge.status", line_ready=False, line_free=False, ready=False)
    reader = JournalReader(tmp_path / "journal.sqlite")
    [entry] = await reader.calls()
    assert [event.name for event in await reader.events(entry.call_id)] == ["application.replaced"]
    alarms = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert ["took over" in record.getMessage() for record in alarms] == [True]


async def test_a_wrong_password_is_said_and_never_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_bridge(
        tmp_path, ari_password="wrong-password-of-the-test-0123456789"
    ) as rig:
        await rig.message("bridge.status", line_ready=False, bot_ready=True)
        async with asyncio.timeout(5):
            while "HTTP status 401" not in caplog.text:
                await rig.message("bridge.status")
    assert "wrong-password-of-the-test-0123456789" not in caplog.text


async def test_garbage_from_asterisk_harms_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_bridge(tmp_path, script=listen_forever) as rig:
        await rig.until_ready()
        await rig.asterisk.say_garbage()
        await rig.call()
    assert "not JSON" in caplog.text


class Told:
    """What a link said."""

    def __init__(self) -> None:
        self.ups = self.downs = 0
        self.events: list[Event] = []
        self.changed = asyncio.Event()

    def as_events(self) -> LinkEvents:
        return LinkEvents(self._up, self._down, self.events.append)

    def _up(self) -> None:
        self.ups += 1
        self.changed.set()

    def _down(self) -> None:
        self.downs += 1
        self.changed.set()

    async def until_next(self) -> None:
        async with asyncio.timeout(5):
            await self.changed.wait()
        self.changed.clear()


def make_link(asterisk: FakeAsterisk, *, reply_timeout_s: float = 5.0) -> AriLink:
    return AriLink(
        AriAddress("127.0.0.1", asterisk.port, "bridge", ARI_PASSWORD),
        backoff=Backoff(first_s=0.01, max_s=0.05, random=lambda: 0.0),
        requests=AriRequests(reply_timeout_s=reply_timeout_s),
    )


async def test_requests_are_answered_refused_late_or_lost() -> None:
    async with fake_asterisk(ARI_PASSWORD) as asterisk:
        link, told = make_link(asterisk, reply_timeout_s=0.2), Told()
        with pytest.raises(ConnectionLost):
            await link.ask(list_channels())
        running = asyncio.create_task(link.run(told.as_events()))
        await told.until_next()
        assert (await link.ask(list_channels())).body == []

        asterisk.refused["GET channels"] = 500
        with pytest.raises(AriError, match="500"):
            await link.ask(list_channels())

        asterisk.unanswered = ["GET bridges"]
        with pytest.raises(ConnectionLost, match="did not answer GET bridges"):
            await link.ask(list_bridges())

        waiting = asyncio.create_task(link.ask(list_bridges()))
        await asterisk.until(lambda: asterisk.requests.count("GET bridges") == 2)
        await asterisk.drop_connections()
        with pytest.raises(ConnectionLost):
            await waiting
        running.cancel()
        await asyncio.wait([running])


async def test_tells_up_and_down_in_turn() -> None:
    async with fake_asterisk(ARI_PASSWORD) as asterisk:
        link, told = make_link(asterisk), Told()
        running = asyncio.create_task(link.run(told.as_events()))
        await told.until_next()
        for breaks in (1, 2):
            await asterisk.drop_connections()
            while told.ups <= breaks:
                await told.until_next()
            assert told.downs == breaks
        assert link.is_up
        _, ticket = make_ticket()
        channel_id = await asterisk.place_call(ticket)
        await link.ask(list_channels())
        assert told.events == [StasisStart(channel_id, (ticket, "7000"))]
        running.cancel()
        await asyncio.wait([running])
        assert not link.is_up


def test_the_address_never_shows_the_password() -> None:
    address = AriAddress("::1", 8088, "bridge", ARI_PASSWORD)
    assert address.url == "ws://[::1]:8088/ari/events?app=talkbutton&subscribeAll=false"
    assert ARI_PASSWORD not in repr(address)


@pytest.mark.parametrize("turns", range(12))
async def test_it_can_be_stopped_at_every_moment_of_a_loss(turns: int) -> None:
    async with fake_asterisk(ARI_PASSWORD) as asterisk:
        link, told = make_link(asterisk), Told()
        running = asyncio.create_task(link.run(told.as_events()))
        await told.until_next()
        dropping = asyncio.create_task(asterisk.drop_connections())
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        _, unfinished = await asyncio.wait([running], timeout=2)
        await dropping
        assert not unfinished
        assert running.cancelled()
