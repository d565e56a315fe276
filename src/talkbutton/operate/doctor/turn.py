"""Attacks on the relay: who may allocate, and where a relay may lead.

Source: the TURN cases of RFC 8656, section 21, and of coturn's own advisories about address forms.
"""

import secrets as random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from ipaddress import ip_address

from talkbutton.operate.doctor.peers import (
    DISGUISED,
    LINK,
    LOOPBACK,
    MULTICAST,
    PRIVATE,
    STRANGERS,
)
from talkbutton.operate.doctor.probe import Broken, Held, NotTried, Outcome, Probe, judge
from talkbutton.operate.doctor.relay import CREDENTIALS_TTL_S, Login, Relay
from talkbutton.operate.doctor.target import Target
from talkbutton.protocols.stun import Attribute, Method, error_code
from talkbutton.protocols.turn import sign_username
from talkbutton.rules.render.coturn import ALLOCATION_LIFETIME_S
from talkbutton.runtime.aio.turn_client import (
    RELAY_TCP,
    TurnClient,
    allocation_attributes,
)

__all__ = ["turn_probes"]

_USER_QUOTA_TRIED_MAX = 50
"""More allocations than this are too many for a test on a living relay."""

_UNAUTHORIZED, _FORBIDDEN, _STALE_NONCE = 401, 403, 438
_MISMATCH, _WRONG_CREDENTIALS = 437, 441  # what coturn says to another realm
_FAMILY_MISMATCH = 443
_QUOTA_REACHED = 486
_CHANNEL = 0x4001
_PEER_PORT = 53

_SECRETS_HINT = "Run `talkbutton up` again: it renders use-auth-secret with the secret in force."


def turn_probes(target: Target) -> list[Probe]:
    """Return the attacks on a deployment's coturn."""
    relay = Relay(target)
    return [
        *_first_probes(relay),
        *_login_probes(relay),
        *_peer_probes(relay),
        *_bound_probes(relay),
    ]


def _first_probes(relay: Relay) -> list[Probe]:
    """Return the probes that use TCP, before many refusals: coturn limits those of a second.

    Over UDP what it leaves out is asked for again, over TCP nothing is.
    """
    return [
        Probe(
            "turn.works",
            "turn",
            "Control: an allocation with good credentials, and a permission for the media address.",
            "both are given, so that a dead relay does not look safe",
            "See `talkbutton logs coturn`; the relay refuses honest visitors.",
            partial(_works, relay),
        ),
        Probe(
            "turn.no-credentials",
            "turn",
            "An allocation without credentials, over UDP and TCP.",
            "401 to each",
            _SECRETS_HINT,
            partial(_no_credentials, relay),
        ),
        Probe(
            "turn.tcp-relay",
            "turn",
            "A TCP relay (RFC 6062), which would reach web servers and databases.",
            "442 or another refusal",
            "Keep no-tcp-relay, as `talkbutton up` renders it.",
            partial(_tcp_relay, relay),
        ),
    ]


def _login_probes(relay: Relay) -> list[Probe]:
    return [
        Probe(
            "turn.bad-credentials",
            "turn",
            "Allocations with expired, forged, borrowed, undated and empty credentials.",
            "401 to each",
            _SECRETS_HINT,
            partial(_bad_credentials, relay),
        ),
        Probe(
            "turn.replayed",
            "turn",
            "A visitor's signed request repeated from another port, a made-up nonce, "
            "another realm.",
            "401, 437, 438 or 441 to each",
            "Keep stale-nonce and realm as `talkbutton up` renders them.",
            partial(_replayed, relay),
        ),
    ]


async def _works(relay: Relay) -> Outcome:
    async with relay.open(relay.mint()) as turn:
        if refused := error_code(await turn.allocate()):
            return Broken(f"an honest visitor's allocation: {refused}")
        if refused := error_code(await turn.permit(relay.target.media)):
            return Broken(f"the permission for {relay.target.media}: {refused}")
    return Held(f"allocated, and {relay.target.media} was permitted")


async def _no_credentials(relay: Relay) -> Outcome:
    broken = []
    for transport in ("udp", "tcp"):
        async with relay.open(None, transport) as turn:
            code = error_code(await turn.allocate())
        broken += [] if code == _UNAUTHORIZED else [f"over {transport}: {_said(code)}"]
    return judge("401 over UDP and over TCP", broken, tried=2)


async def _bad_credentials(relay: Relay) -> Outcome:
    now = relay.target.now_unix()
    later = now + CREDENTIALS_TTL_S
    other_secret = random.token_hex(24)
    bad: dict[str, Login] = {
        "expired": _signed(relay.secret, f"{now - 5}:doctor"),
        "expired long ago": _signed(relay.secret, "0:doctor"),
        "forged": relay.mint(secret=other_secret),
        "borrowed": (f"{later}:another", sign_username(relay.secret, f"{later}:doctor")),
        "undated": _signed(relay.secret, "doctor"),
        "empty password": (f"{later}:doctor", ""),
    }
    broken = []
    for what, login in bad.items():
        async with relay.open(login) as turn:
            code = error_code(await turn.allocate())
        broken += [] if code == _UNAUTHORIZED else [f"{what}: {_said(code)}"]
    return judge(f"401 to all {len(bad)}", broken, tried=len(bad))


def _signed(secret: str, username: str) -> Login:
    return username, sign_username(secret, username)


async def _replayed(relay: Relay) -> Outcome:
    login = relay.mint()
    answers: dict[str, int | None] = {}
    async with relay.open(login) as visitor, relay.open(None) as thief:
        if refused := error_code(await visitor.allocate()):
            return NotTried(f"an honest visitor's allocation was refused: {refused}")
        answers["repeated"] = error_code(await thief.repeat(visitor.last_request))
    for what, realm, nonce in (
        ("another realm", "elsewhere.example", None),
        ("a made-up nonce", None, b"0123456789abcdef"),
    ):
        async with relay.open(login) as forger:
            await forger.ask_once(Method.ALLOCATE, allocation_attributes())
            forger.realm, forger.nonce = realm or forger.realm, nonce or forger.nonce
            forged = await forger.ask_once(Method.ALLOCATE, allocation_attributes())
        answers[what] = error_code(forged)
    refusals = {_UNAUTHORIZED, _STALE_NONCE, _MISMATCH, _WRONG_CREDENTIALS}
    broken = [f"{what}: {_said(code)}" for what, code in answers.items() if code not in refusals]
    held = ", ".join(f"{what}: {code}" for what, code in answers.items())
    return judge(held, broken, tried=len(answers))


def _peer_probes(relay: Relay) -> list[Probe]:
    mend = (
        "Keep denied-peer-ip for everything and allowed-peer-ip for the media address only, as "
        "`talkbutton up` renders them; use coturn 4.17 or newer."
    )
    groups = {
        "loopback": ("this machine's loopback", LOOPBACK),
        "disguised": ("loopback and private addresses in IPv6 disguises", DISGUISED),
        "private": ("private networks", PRIVATE),
        "link-local": ("link-local addresses and the cloud's metadata service", LINK),
        "multicast": ("multicast and broadcast addresses", MULTICAST),
        "strangers": ("addresses of strangers", STRANGERS),
        "own": ("the addresses of the phone system, the bridge and the relay", _own(relay.target)),
    }
    allowed = {relay.target.media, relay.target.settings.network.announced_address}
    return [
        Probe(
            f"turn.peer-{name}",
            "turn",
            f"Permissions and channels to {what}: {', '.join(peers)}.",
            "403 to each; 443 to an IPv6 address where the relay has none",
            mend,
            partial(_peers_refused, relay, peers),
        )
        for name, (what, all_of_group) in groups.items()
        if (peers := tuple(peer for peer in all_of_group if peer not in allowed))
    ]


def _own(target: Target) -> tuple[str, ...]:
    return tuple(dict.fromkeys((target.private, target.turn_address, target.edge_address)))


async def _peers_refused(relay: Relay, peers: Sequence[str]) -> Outcome:
    four = [peer for peer in peers if ip_address(peer).version == 4]
    six = [peer for peer in peers if ip_address(peer).version == 6]
    is_relay_four = ip_address(relay.target.media).version == 4
    async with relay.open(relay.mint()) as turn:
        if refused := error_code(await turn.allocate()):
            return NotTried(f"an honest visitor's allocation was refused: {refused}")
        broken = await _try_peers(turn, four, is_family_relayed=is_relay_four)
        broken += await _try_peers(turn, six, is_family_relayed=not is_relay_four)
    if six and is_relay_four:
        async with relay.open(relay.mint()) as turn:  # there may be a relay for them too
            if error_code(await turn.allocate(family=6)) is None:
                broken += await _try_peers(turn, six, is_family_relayed=True)
    held = f"refused all {2 * len(peers)}"
    return judge(held, broken, tried=len(peers))


async def _try_peers(
    turn: TurnClient, peers: Sequence[str], *, is_family_relayed: bool
) -> list[str]:
    refusals = {_FORBIDDEN} if is_family_relayed else {_FORBIDDEN, _FAMILY_MISMATCH}
    broken = []
    for peer in peers:
        permitted = error_code(await turn.permit(peer))
        bound = error_code(await turn.bind_channel(_CHANNEL, peer, _PEER_PORT))
        for what, code in (("a permission", permitted), ("a channel", bound)):
            broken += [] if code in refusals else [f"{what} to {peer}: {_said(code)}"]
    return broken


def _bound_probes(relay: Relay) -> list[Probe]:
    probes = [
        Probe(
            "turn.lifetime",
            "turn",
            "An allocation for a day.",
            f"at most {ALLOCATION_LIFETIME_S} s",
            "Keep max-allocate-lifetime, as `talkbutton up` renders it.",
            partial(_lifetime, relay),
        ),
    ]
    quota = relay.target.settings.turn.user_quota
    if quota <= _USER_QUOTA_TRIED_MAX:
        probes.append(
            Probe(
                "turn.quota",
                "turn",
                f"{quota + 1} allocations of one visitor, under credentials minted anew each time.",
                f"486 to the last (turn.user_quota is {quota})",
                "Keep user-quota; the name behind the timestamp must stay the visitor's.",
                partial(_quota, relay, quota),
            )
        )
    return probes


async def _tcp_relay(relay: Relay) -> Outcome:
    async with relay.open(relay.mint(), "tcp") as turn:
        code = error_code(await turn.allocate(relay=RELAY_TCP))
    return judge(f"{code}", [] if code else ["a TCP relay was given"], tried=1)


async def _lifetime(relay: Relay) -> Outcome:
    async with relay.open(relay.mint()) as turn:
        answer = await turn.allocate(lifetime_s=86_400)
    if refused := error_code(answer):
        return NotTried(f"an honest visitor's allocation was refused: {refused}")
    lifetime_s = int.from_bytes(answer.get(Attribute.LIFETIME) or b"\xff\xff\xff\xff")
    given = f"{lifetime_s} s"
    return judge(given, [] if lifetime_s <= ALLOCATION_LIFETIME_S else [given], tried=1)


async def _quota(relay: Relay, quota: int) -> Outcome:
    user = f"doctor-{random.token_hex(6)}"
    async with AsyncExitStack() as held:
        for _ in range(quota):
            turn = await held.enter_async_context(relay.open(relay.mint(user)))
            if refused := error_code(await turn.allocate()):
                return NotTried(f"an allocation within the quota was refused: {refused}")
        one_more = await held.enter_async_context(relay.open(relay.mint(user)))
        code = error_code(await one_more.allocate())
    broken = [] if code == _QUOTA_REACHED else [f"allocation {quota + 1}: {_said(code)}"]
    return judge(f"{quota} given, then {code}", broken, tried=1)


def _said(code: int | None) -> str:
    return "given" if code is None else f"answered {code}"
