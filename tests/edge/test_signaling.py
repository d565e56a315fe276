import asyncio
import json

import jwt
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from support.edge_rig import OFFER, ORIGIN, EdgeRig, Visitor
from talkbutton.errors import ConnectionLost, JanusError
from talkbutton.protocols.janus import Answered, HungUp, IceConnected, Lost, MediaSilent, Ringing
from talkbutton.protocols.signaling import parse_offer
from talkbutton.protocols.ticket import TICKET_HEADER, Ticket, verify_ticket
from talkbutton.runtime.bus import BusMessage

pytestmark = [pytest.mark.edge, pytest.mark.anyio]

CANDIDATE = "candidate:1 1 udp 2113937151 192.0.2.5 50000 typ host"


def caption(text: str) -> dict[str, object]:
    return {"speaker": "bot", "utterance_id": "u1", "text": text, "final": True}


async def refusal(visitor: Visitor) -> tuple[str, int]:
    last, close_code = await visitor.hear_end()
    assert last is not None
    assert last["type"] == "error"
    assert last["detail"].endswith(".")
    return last["code"], close_code


async def ending(visitor: Visitor) -> tuple[str, int]:
    last, close_code = await visitor.hear_end()
    assert last is not None
    assert last["type"] == "ended"
    return last["cause"], close_code


async def test_the_whole_call(rig: EdgeRig) -> None:
    async with rig.caller() as (visitor, call):
        call_id = call.asked["call_id"]
        call.tell(Ringing())
        assert await visitor.hear() == {"type": "ringing"}
        await visitor.say("candidate", candidate=CANDIDATE, sdpMid="0", sdpMLineIndex=0)
        await visitor.say("candidate", candidate="")
        await rig.until(lambda: len(call.candidates) == 2)
        assert call.candidates[0] is not None
        assert (call.candidates[0].candidate, call.candidates[1]) == (CANDIDATE, None)
        call.tell(Answered("v=0 answer"))
        assert await visitor.hear() == {"type": "answer", "sdp": "v=0 answer"}
        call.tell(IceConnected())
        await visitor.say("state", ice="connected")
        await visitor.say("stats", rtt_ms=12.5, codec="audio/opus")
        rig.bridge.publish(BusMessage("caption", call_id, caption("Hello")))
        assert await visitor.hear() == {"type": "caption", **caption("Hello")}
        rig.bridge.publish(BusMessage("call.ending", call_id, {"cause": "bot_hung_up"}))
        call.tell(HungUp(200, "Session ended"))
        assert await ending(visitor) == ("bot_hung_up", 1000)
    events = await rig.record(call_id, until="signaling.closed")
    assert [name for name, _ in events] == [
        "session.admitted",
        "grant.spent",
        "signaling.opened",
        "offer.received",
        "sip.calling",
        "sip.ringing",
        "sip.answered",
        "ice.connected",
        "browser.ice_state",
        "browser.stats",
        "sip.hung_up",
        "call.ended",
        "signaling.closed",
    ]
    measured = dict(events)
    assert measured["call.ended"]["cause"] == "bot_hung_up"
    assert measured["browser.stats"] == {"rtt_ms": 12.5, "codec": "audio/opus"}
    assert measured["sip.calling"] == {"janus_session_id": 11, "janus_handle_id": 22}
    assert call.is_hung_up


async def test_the_call_goes_where_the_settings_say(rig: EdgeRig) -> None:
    async with rig.caller() as (_, call):
        asked = dict(call.asked)
        headers = asked.pop("headers")
        assert asked == {
            "call_id": asked["call_id"],
            "offer_sdp": parse_offer(OFFER).sdp,
            "uri": "sip:7000@127.0.0.1:23060",
            "master_id": 5,
            "username": "sip:talkbutton@x",
        }
        assert list(headers) == [TICKET_HEADER]
        ticket = verify_ticket(headers[TICKET_HEADER], key="t" * 32, now_unix=rig.unix_s)
        assert ticket == Ticket(
            asked["call_id"],
            "default",
            120,
            rig.unix_s + 60,
            warning_s=30,
            has_consent=False,
        )


async def test_two_calls_at_once_do_not_mix(rig: EdgeRig) -> None:
    async with rig.caller() as (one, first), rig.caller() as (two, second):
        for text, call in (("one", first), ("two", second)):
            rig.bridge.publish(BusMessage("caption", call.asked["call_id"], caption(text)))
        assert (await one.hear())["text"] == "one"
        assert (await two.hear())["text"] == "two"
        first.tell(HungUp(486, "Busy Here"))
        assert await ending(one) == ("bot_unavailable", 1000)
        second.tell(Answered("v=0"))
        assert (await two.hear())["type"] == "answer"


# Grants


async def test_grant_missing(rig: EdgeRig) -> None:
    async with rig.visitor() as visitor:
        await visitor.say("start")
        assert await refusal(visitor) == ("grant_missing", 4001)


async def test_grant_malformed(rig: EdgeRig) -> None:
    async with rig.visitor() as visitor:
        await visitor.say("start", token="not.a.grant")
        assert await refusal(visitor) == ("grant_malformed", 4001)


async def test_grant_reused(rig: EdgeRig) -> None:
    token = await rig.token()
    async with rig.visitor() as visitor:
        await visitor.say("start", token=token)
        call_id = (await visitor.hear())["call_id"]
        await visitor.say("bye")
        assert await ending(visitor) == ("visitor_hung_up", 1000)
    async with rig.visitor() as visitor:
        await visitor.say("start", token=token)
        assert await refusal(visitor) == ("grant_used", 4001)
    events = await rig.record(call_id, until="grant.refused")
    assert dict(events)["grant.refused"]["code"] == "grant_used"


async def test_grant_expired(rig: EdgeRig) -> None:
    token = await rig.token()
    rig.unix_s += 60
    async with rig.visitor() as visitor:
        await visitor.say("start", token=token)
        assert await refusal(visitor) == ("grant_expired", 4001)


@pytest.mark.parametrize("origin", ["https://evil.example", "http://shop.example", None])
async def test_grant_from_another_origin(rig: EdgeRig, origin: str | None) -> None:
    token = await rig.token()
    async with rig.visitor(origin=origin) as visitor:
        await visitor.say("start", token=token)
        assert await refusal(visitor) == ("grant_origin", 4001)


async def test_grant_from_another_address(rig: EdgeRig) -> None:
    given = await rig.token()
    claims = jwt.decode(given, options={"verify_signature": False})
    token = jwt.encode(
        {**claims, "net": "203.0.113.0/24"},
        "g" * 32,
        algorithm="HS256",
        headers=jwt.get_unverified_header(given),
    )
    async with rig.visitor() as visitor:
        await visitor.say("start", token=token)
        assert await refusal(visitor) == ("grant_address", 4001)


async def test_two_sockets_race_with_one_grant(rig: EdgeRig) -> None:
    token = await rig.token()
    async with rig.visitor() as one, rig.visitor() as two:
        await asyncio.gather(one.say("start", token=token), two.say("start", token=token))
        heard = await asyncio.gather(one.hear(), two.hear())
    assert sorted(str(message.get("code", "ready")) for message in heard) == ["grant_used", "ready"]


# Offers and candidates


@pytest.mark.parametrize(
    "sdp",
    [
        "not sdp",
        OFFER.partition("m=")[0],
        OFFER.replace("m=audio", "m=video"),
        OFFER + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n",
        OFFER + "a=x:" + "y" * 1_000 + "\r\n" * 40,
        "v=0\r\n" * 7_000,
    ],
)
async def test_a_wrong_offer(rig: EdgeRig, sdp: str) -> None:
    async with rig.visitor() as visitor:
        await visitor.say("start", token=await rig.token())
        await visitor.say("offer", sdp=sdp)
        assert await refusal(visitor) == ("offer_invalid", 4003)
    assert rig.gateway.calls == []


async def test_an_offer_of_a_megabyte_closes_the_socket(rig: EdgeRig) -> None:
    async with rig.visitor() as visitor:
        await visitor.say("start", token=await rig.token())
        await visitor.hear()
        await visitor.say("offer", sdp="x" * 1_000_000)
        assert await visitor.hear_end() == (None, 1009)


async def test_candidates_before_the_offer(rig: EdgeRig) -> None:
    async with rig.visitor() as visitor:
        await visitor.say("start", token=await rig.token())
        await visitor.say("candidate", candidate=CANDIDATE)
        assert await refusal(visitor) == ("message_invalid", 4002)


async def test_a_thousand_candidates(rig: EdgeRig) -> None:
    async with rig.caller() as (visitor, call):
        message = json.dumps({"type": "candidate", "candidate": CANDIDATE})
        for _ in range(1_000):
            await visitor.socket.send(message)
        assert await refusal(visitor) == ("too_many_messages", 4008)
    await rig.until(lambda: call.is_hung_up)
    assert len(call.candidates) <= 50


@pytest.mark.parametrize("garbage", ["", "{", "\x00" * 500, '{"type":"candidate","candidate":1}'])
async def test_garbage(rig: EdgeRig, garbage: str) -> None:
    async with rig.caller() as (visitor, call):
        await visitor.socket.send(garbage)
        assert await refusal(visitor) == ("message_invalid", 4002)
    await rig.until(lambda: call.is_hung_up)


async def test_bytes(rig: EdgeRig) -> None:
    async with rig.visitor() as visitor:
        await visitor.socket.send(b"\x00\x01")
        assert await refusal(visitor) == ("message_invalid", 4002)


async def test_a_flood(rig: EdgeRig) -> None:
    async with rig.caller() as (visitor, call):
        message = json.dumps({"type": "stats", "rtt_ms": 1})
        for _ in range(2_000):
            await visitor.socket.send(message)
        assert await refusal(visitor) == ("too_many_messages", 4008)
    await rig.until(lambda: call.is_hung_up)
    assert await rig.ready_code() == "ok"


# Sockets


async def test_a_silent_visitor_is_closed(rig: EdgeRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("talkbutton.protocols.signaling.session.START_DEADLINE_S", 0.1)
    async with rig.visitor() as visitor:
        assert await refusal(visitor) == ("timeout", 4009)


async def test_a_visitor_without_an_offer_is_closed(
    rig: EdgeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("talkbutton.protocols.signaling.session.OFFER_DEADLINE_S", 0.1)
    async with rig.visitor() as visitor:
        await visitor.say("start", token=await rig.token())
        assert await refusal(visitor) == ("timeout", 4009)


async def test_a_socket_that_closes_half_way_hangs_up(rig: EdgeRig) -> None:
    with rig.bridge.subscribe("call.hang_up") as said:
        async with rig.caller() as (_, call):
            call.tell(Answered("v=0"))
        message = await asyncio.wait_for(anext(said), 5)
    assert (message.call_id, message.data) == (
        call.asked["call_id"],
        {"cause": "visitor_hung_up"},
    )
    await rig.until(lambda: call.is_hung_up)
    events = await rig.record(call.asked["call_id"], until="call.ended")
    assert dict(events)["call.ended"]["cause"] == "visitor_hung_up"


async def test_a_killed_browser_hangs_up(rig: EdgeRig) -> None:
    async with rig.caller() as (visitor, call):
        visitor.socket.transport.abort()
        await rig.until(lambda: call.is_hung_up)


async def test_a_visitor_who_leaves_while_the_call_is_being_placed(rig: EdgeRig) -> None:
    rig.gateway.may_place.clear()
    async with rig.visitor() as visitor:
        await visitor.say("start", token=await rig.token())
        await visitor.say("offer", sdp=OFFER)
        await rig.until(lambda: rig.gateway.placings == 1)
        await visitor.say("bye")
        assert await ending(visitor) == ("visitor_hung_up", 1000)
    await rig.until(lambda: rig.gateway.cancelled_placings == 1)
    assert rig.gateway.calls == []


async def test_a_visitor_who_says_everything_at_once(rig: EdgeRig) -> None:
    async with rig.visitor() as visitor:
        token = await rig.token()
        await asyncio.gather(
            visitor.say("start", token=token), visitor.say("offer", sdp=OFFER), visitor.say("bye")
        )
        assert await ending(visitor) == ("visitor_hung_up", 1000)
    await rig.until(lambda: all(call.is_hung_up for call in rig.gateway.calls))


async def test_a_slow_reader_is_dropped(rig: EdgeRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("talkbutton.edge.outbox.SEND_DEADLINE_S", 0.2)
    monkeypatch.setattr("talkbutton.edge.socket._FLUSH_DEADLINE_S", 0.2)
    async with rig.caller() as (visitor, call):
        call_id = call.asked["call_id"]
        visitor.socket.transport.pause_reading()
        while not call.is_hung_up:
            rig.bridge.publish(BusMessage("caption", call_id, caption("x" * 4_000)))
            await asyncio.sleep(0)
        visitor.socket.transport.abort()
    events = await rig.record(call_id, until="call.ended")
    assert dict(events)["call.ended"]["error"] == "too_slow"


async def test_the_subprotocol_is_asked_for(rig: EdgeRig) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with connect(f"ws://127.0.0.1:{rig.port}/v1/signaling", origin=Origin(ORIGIN)):
            pass
    assert caught.value.response.status_code == 400
    assert b"talkbutton.v1" in caught.value.response.body


# Ends


async def test_the_visitor_hangs_up(rig: EdgeRig) -> None:
    async with rig.caller() as (visitor, call):
        await visitor.say("bye", reason="hung_up")
        assert await ending(visitor) == ("visitor_hung_up", 1000)
    await rig.until(lambda: call.is_hung_up)


async def test_the_call_is_busy(rig: EdgeRig) -> None:
    async with rig.caller() as (visitor, call):
        call.tell(HungUp(503, "Service Unavailable"))
        assert await ending(visitor) == ("bot_unavailable", 1000)


async def test_the_phone_line_is_down(rig: EdgeRig) -> None:
    async with rig.caller() as (visitor, call):
        rig.beat(ready=False, line_ready=False)
        await rig.until_ready_code("line_unavailable")
        call.tell(HungUp(503, "Service Unavailable"))
        assert await ending(visitor) == ("line_unavailable", 1000)


async def test_janus_is_lost_in_the_call(rig: EdgeRig) -> None:
    async with rig.caller() as (visitor, call):
        call.tell(Answered("v=0"))
        call.tell(MediaSilent(3))
        call.tell(Lost("janus.connection_lost"))
        assert await ending(visitor) == ("gateway_unavailable", 1000)
    events = await rig.record(call.asked["call_id"], until="signaling.closed")
    assert dict(events)["media.went_silent"] == {"silent_s": 3}


@pytest.mark.parametrize("failure", [ConnectionLost("gone"), JanusError(453, "no such master")])
async def test_the_call_cannot_be_placed(rig: EdgeRig, failure: Exception) -> None:
    rig.gateway.failure = failure
    async with rig.visitor() as visitor:
        await visitor.say("start", token=await rig.token())
        await visitor.say("offer", sdp=OFFER)
        assert await ending(visitor) == ("gateway_unavailable", 1000)


async def test_the_keeper_went_after_the_grant(rig: EdgeRig) -> None:
    token = await rig.token()
    rig.monotonic_s += 5
    async with rig.visitor() as visitor:
        await visitor.say("start", token=token)
        await visitor.say("offer", sdp=OFFER)
        assert await ending(visitor) == ("gateway_unavailable", 1000)
