import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count

import pytest

from support.fake_janus import ANSWER_SDP, FakeJanus, fake_janus, until
from talkbutton.edge.gateway import GatewayCall, JanusGateway
from talkbutton.edge.ports import Gateway
from talkbutton.errors import ConnectionLost, JanusError
from talkbutton.protocols.janus import (
    Answered,
    CallNews,
    CallTimes,
    Candidate,
    HungUp,
    IceConnected,
    JanusLogin,
    JanusSession,
    Lost,
    MediaSilent,
    Ringing,
)
from talkbutton.runtime.aio.janus_link import JanusLink
from talkbutton.settings.model import Settings

pytestmark = [pytest.mark.shell, pytest.mark.anyio]

LOGIN = JanusLogin("api-secret-of-tests", "token-secret-of-tests")
MASTER_ID = 5


def quick_session() -> JanusSession:
    ids = count(1)
    return JanusSession(
        new_transaction=lambda: f"t{next(ids)}", keepalive_s=0.2, reply_timeout_s=0.1
    )


@asynccontextmanager
async def running_gateway(
    janus: FakeJanus, login: JanusLogin = LOGIN
) -> AsyncIterator[JanusGateway]:
    link = JanusLink(
        janus.url, login, new_session=quick_session, retry_first_s=0.02, retry_max_s=0.05
    )
    times = CallTimes(cancel_s=0.05, hang_up_s=0.1)
    gateway = JanusGateway(Settings(version=1), login, link=link, times=times)
    running = asyncio.create_task(gateway.run())
    try:
        yield gateway
    finally:
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


@pytest.fixture
async def janus() -> AsyncIterator[FakeJanus]:
    async with fake_janus(LOGIN) as janus:
        janus.masters[MASTER_ID] = 0
        yield janus


@pytest.fixture
async def gateway(janus: FakeJanus) -> AsyncIterator[JanusGateway]:
    async with running_gateway(janus) as gateway:
        await asyncio.wait_for(gateway.wait_ready(), 5)
        yield gateway


async def place(
    gateway: Gateway, call_id: str = "c1", *, master_id: int = MASTER_ID
) -> GatewayCall:
    call = await asyncio.wait_for(
        gateway.place_call(
            call_id,
            offer_sdp="v=0\r\noffer\r\n",
            uri="sip:7000@127.0.0.1:5060",
            headers={"X-Talkbutton-Ticket": "a.b.c"},
            master_id=master_id,
            username="sip:talkbutton@127.0.0.1:5060",
        ),
        5,
    )
    assert isinstance(call, GatewayCall)
    return call


async def next_news(call: GatewayCall) -> CallNews:
    return await asyncio.wait_for(anext(call.events()), 5)


async def rest(call: GatewayCall) -> list[CallNews]:
    async with asyncio.timeout(5):
        return [news async for news in call.events()]


async def test_a_call_is_placed_answered_and_hung_up(
    gateway: JanusGateway, janus: FakeJanus
) -> None:
    call = await place(gateway)
    assert call.janus_handle_id == janus.handle_of("c1")
    assert await next_news(call) == Answered(ANSWER_SDP)
    await janus.notice(janus.handle_of("c1"), "webrtcup")
    assert await next_news(call) == IceConnected()
    await call.hang_up()
    assert await rest(call) == [HungUp(200, "to BYE")]
    assert call.is_over
    await until("the handle is gone", lambda: not janus.opaque_ids)
    assert janus.asked() == ["create", "attach", "register", "call", "hangup", "detach"]
    invite = janus.requests[3]
    assert invite["body"]["headers"] == {"X-Talkbutton-Ticket": "a.b.c"}
    assert invite["body"]["uri"] == "sip:7000@127.0.0.1:5060"
    assert invite["jsep"] == {"type": "offer", "sdp": "v=0\r\noffer\r\n"}
    assert all("secret" not in request.get("body", {}) for request in janus.requests)
    await call.hang_up()
    assert janus.asked()[-1] == "detach"


async def test_calls_do_not_hear_each_other(gateway: JanusGateway, janus: FakeJanus) -> None:
    janus.is_answering = False
    one, two = await asyncio.gather(place(gateway, "c1"), place(gateway, "c2"))
    await janus.say(janus.handle_of("c2"), "ringing")
    await janus.say(janus.handle_of("c1"), "accepted", sdp="one")
    await janus.say(janus.handle_of("c2"), "accepted", sdp="two")
    assert await next_news(one) == Answered("one")
    assert [await next_news(two), await next_news(two)] == [Ringing(), Answered("two")]
    await janus.say(janus.handle_of("c1"), "hangup", code=486, reason="Busy")
    assert await rest(one) == [HungUp(486, "Busy")]
    assert not two.is_over
    assert janus.sessions == 1


async def test_candidates_reach_the_calls_handle_in_order(
    gateway: JanusGateway, janus: FakeJanus
) -> None:
    call = await place(gateway)
    await call.trickle(Candidate("candidate:1", "0", 0))
    await call.trickle(None)
    await until("the candidates came", lambda: janus.asked().count("trickle") == 2)
    first, last = [request for request in janus.requests if request["janus"] == "trickle"]
    assert first["handle_id"] == last["handle_id"] == call.janus_handle_id
    assert first["candidates"][0]["candidate"] == "candidate:1"
    assert last["candidates"] == [{"completed": True}]


async def test_a_master_that_is_gone_is_an_error(gateway: JanusGateway, janus: FakeJanus) -> None:
    with pytest.raises(JanusError) as refused:
        await place(gateway, master_id=99)
    assert refused.value.janus_code == 453
    await until("the handle is gone", lambda: not janus.opaque_ids)
    assert (await place(gateway)).is_over is False


@pytest.mark.parametrize("request_", ["attach", "register", "call"])
async def test_a_refusal_of_the_core_is_an_error(
    gateway: JanusGateway, janus: FakeJanus, request_: str
) -> None:
    janus.refuse[request_] = (490, "no")
    with pytest.raises(JanusError) as refused:
        await place(gateway)
    assert (refused.value.janus_code, refused.value.reason) == (490, "no")
    await until("the handle is gone", lambda: not janus.opaque_ids)


@pytest.mark.parametrize("request_", ["attach", "register", "call"])
async def test_silence_is_a_lost_connection(
    gateway: JanusGateway, janus: FakeJanus, request_: str
) -> None:
    janus.mute.add(request_)
    with pytest.raises(ConnectionLost, match=r"janus\.no_reply"):
        await place(gateway)
    await until("the handle is gone", lambda: not janus.opaque_ids)


@pytest.mark.parametrize("request_", ["attach", "register", "call"])
async def test_a_visitor_who_leaves_while_the_call_is_placed_leaves_nothing(
    gateway: JanusGateway, janus: FakeJanus, request_: str
) -> None:
    janus.mute.add(request_)
    placing = asyncio.create_task(place(gateway))
    await until("it was asked", lambda: request_ in janus.asked())
    placing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await placing
    await until("the handle is gone", lambda: not janus.opaque_ids)


async def test_a_refused_call_ends_by_its_status(gateway: JanusGateway, janus: FakeJanus) -> None:
    janus.is_answering = False
    call = await place(gateway)
    await janus.say(janus.handle_of("c1"), "hangup", code=503, reason="Service Unavailable")
    assert await rest(call) == [HungUp(503, "Service Unavailable")]
    await until("the handle is gone", lambda: not janus.opaque_ids)


async def test_a_call_without_a_sign_of_life_is_hung_up_in_time(
    gateway: JanusGateway, janus: FakeJanus
) -> None:
    janus.is_answering = False
    call = await place(gateway)
    await call.hang_up()
    async with asyncio.timeout(0.19):  # before the next keepalive would wake the clock
        assert await rest(call) == [HungUp(200, "to BYE")]
    await until("the handle is gone", lambda: not janus.opaque_ids)


async def test_a_hang_up_that_nobody_confirms_has_an_end(
    gateway: JanusGateway, janus: FakeJanus
) -> None:
    call = await place(gateway)
    janus.silent.add("hangup")
    await call.hang_up()
    assert (await rest(call))[-1] == Lost("sip.hang_up_unconfirmed")
    await until("the handle is gone", lambda: not janus.opaque_ids)


async def test_lost_media_ends_the_call(gateway: JanusGateway, janus: FakeJanus) -> None:
    call = await place(gateway)
    await janus.notice(janus.handle_of("c1"), "hangup", reason="DTLS alert")
    assert await rest(call) == [Answered(ANSWER_SDP), Lost("media.peer_closed")]
    await until("the handle is gone", lambda: not janus.opaque_ids)
    assert janus.asked()[-2:] == ["hangup", "detach"]


async def test_a_slow_reader_loses_news_of_media_but_not_the_end(
    gateway: JanusGateway, janus: FakeJanus
) -> None:
    call = await place(gateway)
    handle_id = janus.handle_of("c1")
    for _ in range(300):
        await janus.notice(handle_id, "media", type="audio", receiving=False, seconds=2)
    await janus.say(handle_id, "hangup", code=200, reason="x")
    await until("it is over", lambda: call.is_over)
    news = await rest(call)
    assert news == [Answered(ANSWER_SDP), *[MediaSilent(2)] * 99, HungUp(200, "x")]
    assert call.news_dropped == 201


async def test_a_lost_connection_ends_all_calls_and_is_made_anew(
    gateway: JanusGateway, janus: FakeJanus
) -> None:
    calls = [await place(gateway, f"c{n}") for n in range(3)]
    await janus.drop()
    for call in calls:
        assert await rest(call) == [Answered(ANSWER_SDP), Lost("janus.connection_lost")]
        await call.hang_up()
        await call.trickle(Candidate("candidate:1"))
    await asyncio.wait_for(gateway.wait_ready(), 5)
    again = await place(gateway, "again")
    assert await next_news(again) == Answered(ANSWER_SDP)
    assert list(janus.opaque_ids.values()) == ["again"]


async def test_janus_that_hangs_is_noticed(gateway: JanusGateway, janus: FakeJanus) -> None:
    call = await place(gateway)
    janus.mute.add("keepalive")
    assert (await rest(call))[-1] == Lost("janus.no_reply")
    janus.mute.clear()
    await asyncio.wait_for(gateway.wait_ready(), 5)
    assert await next_news(await place(gateway)) == Answered(ANSWER_SDP)


async def test_the_session_is_kept_alive(gateway: JanusGateway, janus: FakeJanus) -> None:
    call = await place(gateway)
    await until(
        "keepalives came",
        lambda: sum(request["janus"] == "keepalive" for request in janus.requests) >= 3,
    )
    assert gateway.is_ready
    assert not call.is_over


async def test_garbage_from_janus_is_dropped(gateway: JanusGateway, janus: FakeJanus) -> None:
    for text in ("", "{}", "[]", b"\x00", '{"janus":"event","sender":1}'):
        await janus.raw(text)
    assert await next_news(await place(gateway)) == Answered(ANSWER_SDP)


async def test_stopping_the_gateway_ends_its_calls(janus: FakeJanus) -> None:
    async with running_gateway(janus) as gateway:
        await gateway.wait_ready()
        call = await place(gateway)
    assert (await rest(call))[-1] == Lost("janus.connection_lost")
    await until("the session is gone", lambda: janus.sessions == 0)
    assert not janus.opaque_ids
    assert not gateway.is_ready


@pytest.mark.parametrize("turns", range(30))
async def test_it_can_be_stopped_at_every_moment_of_a_loss(janus: FakeJanus, turns: int) -> None:
    link = JanusLink(janus.url, LOGIN, new_session=quick_session, retry_first_s=0.01)
    running = asyncio.create_task(link.run())
    await asyncio.wait_for(link.wait_ready(), 5)
    dropping = asyncio.create_task(janus.drop())
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    _, unfinished = await asyncio.wait([running], timeout=2)
    await dropping
    assert not unfinished
    assert running.cancelled()


async def test_without_janus_nothing_is_placed() -> None:
    async with fake_janus(LOGIN) as janus:
        pass  # its port is closed now
    async with running_gateway(janus) as gateway:
        assert not gateway.is_ready
        with pytest.raises(ConnectionLost):
            await place(gateway)
        async with fake_janus(LOGIN, port=janus.port) as back:
            back.masters[MASTER_ID] = 0
            await asyncio.wait_for(gateway.wait_ready(), 5)
            assert await next_news(await place(gateway)) == Answered(ANSWER_SDP)


@pytest.mark.parametrize("wrong", [{"api_secret": "another"}, {"token_secret": "another"}])
async def test_a_wrong_secret_is_refused_and_said(
    janus: FakeJanus, caplog: pytest.LogCaptureFixture, wrong: dict[str, str]
) -> None:
    async with running_gateway(janus, replace(LOGIN, **wrong)) as gateway:
        await until("it tried twice", lambda: janus.asked().count("create") >= 2)
        assert not gateway.is_ready
        with pytest.raises(ConnectionLost):
            await place(gateway)
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1
    assert "403" in errors[0]
    assert "another-secret" not in caplog.text
