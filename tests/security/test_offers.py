"""J6: what a hostile page offers, and what of it the gateway is given.

Each attack is tried with its guard on and off.
"""

from pathlib import Path

import pytest

from support.edge_rig import OFFER, running_edge
from talkbutton.protocols.signaling import AudioOffer, IceCandidate
from talkbutton.protocols.signaling import parse_offer as parse_offer_in_truth

pytestmark = [pytest.mark.security, pytest.mark.anyio]

INSIDE = "candidate:1 1 udp 2113937151 127.0.0.1 5060 typ host"
EVIL = {
    "a key in the clear": "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:QUJDREVGR0hJSktMTU5P",
    "an unknown codec": "a=rtpmap:96 EVIL/90000",
    "an unknown attribute": "a=x-janus-evil:1",
    "a bandwidth": "b=AS:1000000",
    "another address": "c=IN IP4 203.0.113.66",
    "a stream name": "a=msid:evil evil",
    "a candidate at loopback": f"a={INSIDE}",
    "a candidate with extensions": "a=candidate:9 1 udp 9 192.0.2.9 9 typ host x-evil 1",
}


def _unguarded(sdp: str) -> AudioOffer:
    offer = parse_offer_in_truth(sdp)
    return AudioOffer(sdp, offer.codecs, offer.candidates)


@pytest.mark.parametrize("line", EVIL.values(), ids=EVIL)
@pytest.mark.parametrize("is_guarded", [True, False])
async def test_a_line_of_a_hostile_offer_does_not_reach_the_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, *, is_guarded: bool
) -> None:
    if not is_guarded:
        monkeypatch.setattr("talkbutton.protocols.signaling.session.parse_offer", _unguarded)
    async with running_edge(tmp_path) as rig, rig.visitor() as visitor:
        await visitor.say("start", token=await rig.token())
        assert (await visitor.hear())["type"] == "ready"
        await visitor.say("offer", sdp=f"{OFFER}{line}\r\n")
        await rig.until(lambda: len(rig.gateway.calls) == 1)
        given = rig.gateway.calls[0].asked["offer_sdp"]
    assert (line in given) is not is_guarded


@pytest.mark.parametrize("is_guarded", [True, False])
async def test_the_gateway_is_not_sent_knocking_at_its_own_doors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_guarded: bool
) -> None:
    if not is_guarded:
        monkeypatch.setattr(IceCandidate, "is_for_gateway", True)
    async with running_edge(tmp_path) as rig, rig.caller() as (visitor, call):
        await visitor.say("candidate", candidate=INSIDE, sdpMid="0", sdpMLineIndex=0)
        await visitor.say("candidate", candidate="")
        await rig.until(lambda: None in call.candidates)
        told = [one.candidate for one in call.candidates if one is not None]
    assert told == ([] if is_guarded else [INSIDE])
