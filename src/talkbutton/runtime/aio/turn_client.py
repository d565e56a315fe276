"""A small TURN client that says exactly what the server answered.

    async with open_turn(host, port, credentials=(username, password)) as turn:
        answer = await turn.allocate()
        if error_code(answer) is None: ...

One request at a time. An allocation is given back when the client is left.

Source: RFC 8489, section 6.2 (retransmission); RFC 8656.
"""

import asyncio
import os
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from typing import Literal

from talkbutton.errors import ProtocolError
from talkbutton.protocols.stun import (
    TRANSACTION_ID_BYTES,
    Attribute,
    MessageClass,
    Method,
    StunMessage,
    TransportAddress,
    encode_address,
    encode_message,
    error_code,
    is_signed_with,
    long_term_key,
    parse_message,
    sign,
)
from talkbutton.runtime.aio.stun_wires import StunWire, open_tcp, open_udp

__all__ = [
    "RELAY_TCP",
    "RELAY_UDP",
    "Transport",
    "TurnClient",
    "allocation_attributes",
    "open_turn",
]

Transport = Literal["udp", "tcp"]

RELAY_UDP, RELAY_TCP = 17, 6
"""Protocol numbers for REQUESTED-TRANSPORT."""

_RESEND_S = 0.5
_TRIES = 6
_RELEASE_S = 1.0
_UNAUTHORIZED, _STALE_NONCE = 401, 438


def allocation_attributes(
    *, relay: int = RELAY_UDP, family: Literal[4, 6] | None = None, lifetime_s: int = 60
) -> list[tuple[int, bytes]]:
    """Return what an Allocate request asks for. See ``TurnClient.allocate``."""
    attributes: list[tuple[int, bytes]] = [
        (Attribute.REQUESTED_TRANSPORT, bytes([relay, 0, 0, 0])),
        (Attribute.LIFETIME, struct.pack("!I", lifetime_s)),
    ]
    if family is not None:
        number = 1 if family == 4 else 2
        attributes.append((Attribute.REQUESTED_ADDRESS_FAMILY, bytes([number, 0, 0, 0])))
    return attributes


class TurnClient:
    """One connection to a TURN server, and at most one allocation on it. See ``open_turn``.

    Attributes:
        realm: What the server calls itself; empty until it said so.
        nonce: What it wants to hear next time; empty until it said so.
        last_request: The last request as it went on the wire.
    """

    def __init__(self, wire: StunWire, credentials: tuple[str, str] | None) -> None:
        self.realm = ""
        self.nonce = b""
        self.last_request = b""
        self._wire = wire
        self._credentials = credentials
        self._is_allocated = False

    async def allocate(
        self,
        *,
        relay: int = RELAY_UDP,
        family: Literal[4, 6] | None = None,
        lifetime_s: int = 60,
    ) -> StunMessage:
        """Ask for a relayed address.

        Args:
            relay: ``RELAY_UDP`` or ``RELAY_TCP``.
            family: IP version of the relayed address; None leaves it to the server.
            lifetime_s: How long it should live.
        """
        wanted = allocation_attributes(relay=relay, family=family, lifetime_s=lifetime_s)
        answer = await self.ask(Method.ALLOCATE, wanted)
        self._is_allocated |= error_code(answer) is None
        return answer

    async def permit(self, peer: str) -> StunMessage:
        """Ask for a permission for a peer's address."""
        return await self.ask(Method.CREATE_PERMISSION, [], peer=(peer, 0))

    async def bind_channel(self, number: int, peer: str, port: int) -> StunMessage:
        """Ask for a channel to a peer."""
        channel = (Attribute.CHANNEL_NUMBER, struct.pack("!HH", number, 0))
        return await self.ask(Method.CHANNEL_BIND, [channel], peer=(peer, port))

    async def ask(
        self,
        method: Method,
        attributes: Sequence[tuple[int, bytes]],
        *,
        peer: tuple[str, int] | None = None,
    ) -> StunMessage:
        """Return the answer, after authenticating where the server asks for it.

        Raises:
            OSError: If the server cannot be reached.
            ProtocolError: If the answer is not one, or a success is not signed.
            TimeoutError: If there is none.
        """
        was_challenged = bool(self.nonce)
        answer = await self.ask_once(method, attributes, peer=peer)
        code = error_code(answer)
        is_challenge = code == _STALE_NONCE or (code == _UNAUTHORIZED and not was_challenged)
        if self._credentials is not None and is_challenge:
            answer = await self.ask_once(method, attributes, peer=peer)
        return answer

    async def ask_once(
        self,
        method: Method,
        attributes: Sequence[tuple[int, bytes]],
        *,
        peer: tuple[str, int] | None = None,
    ) -> StunMessage:
        """Return the first answer, signed for as far as realm and nonce are known. See ``ask``."""
        transaction_id = os.urandom(TRANSACTION_ID_BYTES)
        if peer is not None:
            address = TransportAddress(ip_address(peer[0]), peer[1])
            value = encode_address(address, transaction_id=transaction_id)
            attributes = [*attributes, (Attribute.XOR_PEER_ADDRESS, value)]
        answer = await self._send_signed(method, transaction_id, attributes)
        if error_code(answer) in {_UNAUTHORIZED, _STALE_NONCE}:
            self.nonce = answer.get(Attribute.NONCE) or self.nonce
            realm = answer.get(Attribute.REALM)
            self.realm = self.realm if realm is None else realm.decode(errors="replace")
        return answer

    async def repeat(self, packet: bytes) -> StunMessage:
        """Send a packet of another client, word for word, and return the answer to it."""
        return await self._exchange(packet)

    async def release(self) -> None:
        """Give the allocation back, if there is one and the server still answers."""
        if not self._is_allocated:
            return
        self._is_allocated = False
        with suppress(OSError, EOFError, ProtocolError, TimeoutError):
            async with asyncio.timeout(_RELEASE_S):
                await self.ask(Method.REFRESH, [(Attribute.LIFETIME, bytes(4))])

    async def _send_signed(
        self, method: Method, transaction_id: bytes, attributes: Sequence[tuple[int, bytes]]
    ) -> StunMessage:
        def message(*login: tuple[int, bytes]) -> StunMessage:
            whole = tuple((int(kind), value) for kind, value in (*attributes, *login))
            return StunMessage(method, MessageClass.REQUEST, transaction_id, whole)

        if self._credentials is None or not self.nonce:
            return await self._exchange(encode_message(message()))
        username, password = self._credentials
        key = long_term_key(username, self.realm, password)
        signed = message(
            (Attribute.USERNAME, username.encode()),
            (Attribute.REALM, self.realm.encode()),
            (Attribute.NONCE, self.nonce),
        )
        return await self._exchange(sign(signed, key), key=key)

    async def _exchange(self, packet: bytes, *, key: bytes | None = None) -> StunMessage:
        self.last_request = packet
        transaction_id = packet[8:20]
        for _ in range(_TRIES if self._wire.may_lose else 1):
            self._wire.send(packet)
            with suppress(TimeoutError):
                async with asyncio.timeout(_RESEND_S if self._wire.may_lose else None):
                    return await self._answer(transaction_id, key)
        raise TimeoutError("the TURN server does not answer")

    async def _answer(self, transaction_id: bytes, key: bytes | None) -> StunMessage:
        while True:
            packet = await self._wire.receive()
            message = parse_message(packet)
            if message.transaction_id != transaction_id:
                continue
            is_success = message.message_class is MessageClass.SUCCESS
            if is_success and key is not None and not is_signed_with(packet, key):
                raise ProtocolError("a TURN server's answer is not signed")
            return message


@asynccontextmanager
async def open_turn(
    host: str,
    port: int,
    *,
    transport: Transport = "udp",
    credentials: tuple[str, str] | None = None,
) -> AsyncIterator[TurnClient]:
    """Connect to a TURN server; leaving gives the allocation back.

    Args:
        host: Its IP address.
        port: Its port.
        transport: Between client and server.
        credentials: Username and password; None never authenticates.

    Raises:
        OSError: If it cannot be reached.
    """
    wire = await (open_udp(host, port) if transport == "udp" else open_tcp(host, port))
    client = TurnClient(wire, credentials)
    try:
        yield client
    finally:
        await client.release()
        wire.close()
