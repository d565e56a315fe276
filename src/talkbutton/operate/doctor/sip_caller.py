"""A SIP caller on a UDP port of its own, for one question after the other.

Source: RFC 3261, sections 9 (CANCEL), 17.1 (client transactions).
"""

import asyncio
import secrets as random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from talkbutton.errors import ProtocolError
from talkbutton.protocols.sip import (
    SipAnswer,
    SipRequest,
    authorize,
    encode_request,
    parse_answer,
)

__all__ = ["SipCaller", "open_caller"]

_RESEND_S = 0.5
_ANSWER_MAX_S = 3.0
_UNAUTHORIZED = 401


class SipCaller:
    """Asks one SIP server. See ``open_caller``."""

    def __init__(
        self, wire: "_Wire", host: str, port: int, user: str, password: str | None
    ) -> None:
        self._wire, self._host, self._port = wire, host, port
        self._user, self._password = user, password
        self._sequence = 0

    async def ask(
        self, method: str, target: str, headers: Mapping[str, str] | None = None
    ) -> int | None:
        """Return the final status, None where there is no answer; an INVITE is never left ringing.

        Authenticates when asked to, if there is a password.

        Args:
            method: SIP method.
            target: User part of the request's URI.
            headers: More headers.
        """
        request = self._request(method, target, headers or {})
        answer = await self._send(request)
        if answer is None or answer.status != _UNAUTHORIZED or self._password is None:
            return None if answer is None else answer.status
        authorization = authorize(
            answer.headers.get("www-authenticate", ""),
            method=method,
            uri=request.uri,
            user=self._user,
            password=self._password,
            client_nonce=random.token_hex(8),
        )
        signed = {**(headers or {}), "Authorization": authorization}
        answer = await self._send(self._request(method, target, signed))
        return None if answer is None else answer.status

    def _request(self, method: str, target: str, headers: Mapping[str, str]) -> SipRequest:
        self._sequence += 1
        local = self._wire.local
        return SipRequest(
            method,
            f"sip:{target}@{self._host}:{self._port}"
            if target
            else f"sip:{self._host}:{self._port}",
            user=self._user,
            local=local,
            call_id=random.token_hex(8),
            tag=random.token_hex(4),
            branch=f"z9hG4bK{random.token_hex(8)}",
            sequence=self._sequence,
            headers=headers,
            body=_offer(local) if method == "INVITE" else "",
        )

    async def _send(self, request: SipRequest) -> SipAnswer | None:
        try:
            async with asyncio.timeout(_ANSWER_MAX_S):
                answer = await self._final(request)
        except TimeoutError:
            return None
        if request.method == "INVITE":
            self._wire.send(encode_request(request.about("ACK", to_tag=answer.to_tag)))
            if answer.status < 300:
                self._hang_up(request, answer)
        return answer

    async def _final(self, request: SipRequest) -> SipAnswer:
        packet = encode_request(request)
        self._wire.send(packet)
        was_heard = False
        while True:
            try:
                async with asyncio.timeout(None if was_heard else _RESEND_S):
                    answer = await self._wire.answer_to(request)
            except TimeoutError:
                self._wire.send(packet)
                continue
            if answer.is_final:
                return answer
            if not was_heard and request.method == "INVITE":
                self._wire.send(encode_request(request.about("CANCEL")))
            was_heard = True

    def _hang_up(self, request: SipRequest, answer: SipAnswer) -> None:
        self._sequence += 1
        bye = SipRequest(
            "BYE",
            request.uri,
            user=request.user,
            local=request.local,
            call_id=request.call_id,
            tag=request.tag,
            branch=f"z9hG4bK{random.token_hex(8)}",
            sequence=request.sequence + 1,
            to_tag=answer.to_tag,
        )
        self._wire.send(encode_request(bye))


@asynccontextmanager
async def open_caller(
    host: str, port: int, *, user: str, password: str | None
) -> AsyncIterator[SipCaller]:
    """Open a port for one caller.

    Args:
        host: The server's IP address.
        port: Its UDP port.
        user: User name in From and in the credentials.
        password: The user's; None never authenticates.
    """
    loop = asyncio.get_running_loop()
    transport, wire = await loop.create_datagram_endpoint(_Wire, remote_addr=(host, port))
    try:
        in_uri = f"[{host}]" if ":" in host else host
        yield SipCaller(wire, in_uri, port, user, password)
    finally:
        transport.close()


class _Wire(asyncio.DatagramProtocol):
    """Sends requests and keeps the answers that came."""

    def __init__(self) -> None:
        self.local = ""
        self._transport: asyncio.DatagramTransport | None = None
        self._heard: asyncio.Queue[SipAnswer | Exception] = asyncio.Queue(64)

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport
        host, port = transport.get_extra_info("sockname")[:2]
        self.local = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002
        with suppress(ProtocolError, asyncio.QueueFull):
            self._heard.put_nowait(parse_answer(data))

    def error_received(self, exc: Exception) -> None:
        with suppress(asyncio.QueueFull):
            self._heard.put_nowait(exc)

    def send(self, packet: bytes) -> None:
        assert self._transport is not None
        self._transport.sendto(packet)

    async def answer_to(self, request: SipRequest) -> SipAnswer:
        while True:
            heard = await self._heard.get()
            if isinstance(heard, Exception):
                raise heard
            if heard.answers(request):
                return heard


def _offer(local: str) -> str:
    host, _, port = local.rpartition(":")
    address = host.strip("[]")
    family = "IP6" if ":" in address else "IP4"
    lines = (
        "v=0",
        f"o=- 1 1 IN {family} {address}",
        "s=-",
        f"c=IN {family} {address}",
        "t=0 0",
        f"m=audio {port} RTP/AVP 0",
        "a=rtpmap:0 PCMU/8000",
    )
    return "".join(f"{line}\r\n" for line in lines)
