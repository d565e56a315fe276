"""The signaling WebSocket: runs one ``SignalingSession`` on one visitor's socket."""

import asyncio
from collections import deque
from http import HTTPStatus

from fastapi import APIRouter, WebSocket

from talkbutton.edge.budget import settle_budget
from talkbutton.edge.call_hold import CallHold
from talkbutton.edge.call_leg import CallLeg
from talkbutton.edge.challenge import note_start
from talkbutton.edge.context import Context, EdgeContext, peer_address
from talkbutton.edge.grants import spend_grant
from talkbutton.edge.outbox import Outbox
from talkbutton.edge.problem import problem_response
from talkbutton.protocols.signaling import (
    SUBPROTOCOL,
    CaptionHeard,
    Close,
    Effect,
    EndingHeard,
    GrantAccepted,
    GrantDenied,
    HangUpGateway,
    Input,
    OperatorHungUp,
    PlaceCall,
    ReaderTooSlow,
    Record,
    Send,
    SessionState,
    SignalingSession,
    SocketClosed,
    SpendGrant,
    Trickle,
    VisitorSent,
)
from talkbutton.rules.admission import Grant, Refused
from talkbutton.runtime.bus import BusMessage

__all__ = ["VisitorSocket", "router"]

_FLUSH_DEADLINE_S = 6.0
_UNREAD_MAX_MESSAGES = 120  # what a visitor may say at once anyway
_NO_CODE = 1006  # the socket vanished without a close frame

router = APIRouter()


@router.websocket("/v1/signaling")
async def signaling(websocket: WebSocket, context: Context) -> None:
    """Carry one visitor's call."""
    if SUBPROTOCOL not in websocket.scope["subprotocols"]:
        detail = f"The socket must speak {SUBPROTOCOL}."
        refusal = problem_response(HTTPStatus.BAD_REQUEST, "request_invalid", detail)
        await websocket.send_denial_response(refusal)
        return
    await websocket.accept(subprotocol=SUBPROTOCOL)
    await VisitorSocket(websocket, context).run()


class VisitorSocket:
    """Gives the session what happens, in order, and carries out what it says.

    Carrying out waits for nothing but the grant, before which nothing else may happen: whatever
    else takes time is a task of this socket's own, and reports back into the one queue of what
    happened. The visitor's part of that queue is bounded here, the bus's and the gateway's there.

    Args:
        websocket: The accepted socket.
        context: The rooms below.
    """

    def __init__(self, websocket: WebSocket, context: EdgeContext) -> None:
        self._websocket = websocket
        self._context = context
        self._clock = asyncio.get_running_loop().time
        self._session = SignalingSession(now=self._clock())
        self._heard: asyncio.Queue[Input] = asyncio.Queue()
        self._answers: deque[Input] = deque()  # to effects; they come before everything else
        self._unread = asyncio.Semaphore(_UNREAD_MAX_MESSAGES)
        self._outbox = Outbox(websocket, lambda: self._heard.put_nowait(ReaderTooSlow()))
        self._leg: CallLeg | None = None
        self._grant: Grant | None = None  # once it is spent
        self._listening: list[asyncio.Task[None]] = []  # tasks that only report

    async def run(self) -> None:
        """Carry the call until it and the socket are over."""
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(self._outbox.run())
            self._listening.append(tasks.create_task(self._read()))
            while self._session.state is not SessionState.CLOSED:
                for effect in await self._next_effects():
                    if isinstance(effect, SpendGrant):
                        await self._spend(effect.token, tasks)
                    else:
                        self._carry_out(effect, tasks)
            for task in self._listening:
                task.cancel()
            await asyncio.wait([sending], timeout=_FLUSH_DEADLINE_S)
            sending.cancel()
        if self._grant is not None:
            await settle_budget(self._context, self._grant, used_s=self._session.used_s)

    async def _next_effects(self) -> list[Effect]:
        if self._answers:
            return self._session.receive(self._answers.popleft(), now=self._clock())
        try:
            async with asyncio.timeout_at(self._session.deadline):
                heard = await self._heard.get()
        except TimeoutError:
            return self._session.handle_timeout(now=self._clock())
        if isinstance(heard, VisitorSent):
            self._unread.release()
        return self._session.receive(heard, now=self._clock())

    def _carry_out(self, effect: Effect, tasks: asyncio.TaskGroup) -> None:
        match effect:
            case Send(message):
                self._outbox.send(message)
            case Close(code, reason):
                self._outbox.close(code, reason)
            case PlaceCall(offer_sdp):
                assert self._leg is not None
                self._listening.append(tasks.create_task(self._leg.carry(offer_sdp)))
            case Trickle(candidate):
                assert self._leg is not None
                self._leg.trickle(candidate)
            case HangUpGateway(cause):
                # Cancelling the leg's task, which follows at once, hangs up at the gateway.
                call_id = self._session.call_id
                self._context.bus.publish(BusMessage("call.hang_up", call_id, {"cause": cause}))
            case Record(name, leg, measures):
                assert self._session.call_id is not None
                self._context.journal.append(self._session.call_id, name, leg, **measures)

    async def _spend(self, token: str | None, tasks: asyncio.TaskGroup) -> None:
        address = peer_address(self._websocket)
        origin = self._websocket.headers.get("origin")
        verdict = await spend_grant(self._context, token, origin=origin, address=address)
        if isinstance(verdict, Refused):
            self._answers.append(GrantDenied(verdict.code, verdict.detail))
            return
        self._grant = verdict
        note_start(self._context, verdict.call_id, address)
        site = self._context.settings.sites[verdict.site]
        hold = CallHold(self._context, verdict, self._heard.put_nowait)
        self._leg = CallLeg(self._context, verdict, self._heard.put_nowait, hold.confirm_media)
        self._listening.append(tasks.create_task(hold.run()))
        self._listening.append(tasks.create_task(self._hear_bridge(verdict.call_id)))
        self._answers.append(
            GrantAccepted(verdict.call_id, site.call_duration_max_s, site.limits.warning_s)
        )

    async def _read(self) -> None:
        while True:
            await self._unread.acquire()
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                self._heard.put_nowait(SocketClosed(message.get("code") or _NO_CODE))
                return
            text: str | None = message.get("text")
            sent: str | bytes = message.get("bytes", b"") if text is None else text
            self._heard.put_nowait(VisitorSent(sent))

    async def _hear_bridge(self, call_id: str) -> None:
        topics = ("caption", "call.ending", "call.hang_up")
        with self._context.bus.subscribe(*topics, call_id=call_id) as messages:
            async for message in messages:
                heard = _hear(message)
                if heard is not None:
                    self._heard.put_nowait(heard)


def _hear(message: BusMessage) -> Input | None:
    cause = message.data.get("cause")
    match message.topic:
        case "caption":
            return CaptionHeard(message.data)
        case "call.ending":
            return EndingHeard(cause)
        case _ if cause == "operator_hung_up":
            return OperatorHungUp()
        case _:  # this edge's own word to the bridge
            return None
