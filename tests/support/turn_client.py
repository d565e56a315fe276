"""A small TURN client that says exactly what the server answered.

One request at a time over UDP or TCP, long-term credentials, no surprises.

Source: STUN RFC 8489; TURN RFC 8656.
"""

import base64
import hashlib
import hmac
import os
import socket
import ssl
import struct
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal, Self

__all__ = ["RelayedAddress", "StunMessage", "TurnClient", "TurnRefused", "temporary_credentials"]

Transport = Literal["udp", "tcp", "tls"]

_COOKIE = 0x2112A442
_HEADER_BYTES = 20

BINDING, ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND, CONNECT = 1, 3, 4, 8, 9, 10
_ERROR_CLASS = 0x0110

_USERNAME, _INTEGRITY, _ERROR_CODE = 0x0006, 0x0008, 0x0009
_CHANNEL_NUMBER, _LIFETIME, _PEER = 0x000C, 0x000D, 0x0012
_REALM, _NONCE, _RELAYED, _FAMILY, _TRANSPORT = 0x0014, 0x0015, 0x0016, 0x0017, 0x0019
SOFTWARE = 0x8022

_UDP = 17
TCP = 6
_RETRY_S = 0.5
_TRIES = 8


class TurnRefused(Exception):
    """The server answered with an error.

    Attributes:
        error_code: STUN error code, such as 403.
        message: The whole answer.
    """

    def __init__(self, error_code: int, message: "StunMessage") -> None:
        super().__init__(error_code)
        self.error_code = error_code
        self.message = message


@dataclass(frozen=True, slots=True)
class StunMessage:
    """A parsed STUN message."""

    kind: int
    transaction: bytes
    attributes: dict[int, bytes]

    @property
    def error_code(self) -> int | None:
        """The error code of an error response."""
        if self.kind & _ERROR_CLASS != _ERROR_CLASS:
            return None
        value = self.attributes[_ERROR_CODE]
        return (value[2] & 7) * 100 + value[3]


@dataclass(frozen=True, slots=True)
class RelayedAddress:
    """What an allocation gave."""

    host: str
    port: int
    lifetime_s: int


def temporary_credentials(secret: str, user: str, *, expires_unix: int) -> tuple[str, str]:
    """Return username and password by the rule that coturn applies to a shared secret."""
    username = f"{expires_unix}:{user}"
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return username, base64.b64encode(digest).decode()


class TurnClient:
    """One connection to a TURN server, and at most one allocation on it."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        transport: Transport = "udp",
        credentials: tuple[str, str] | None = None,
    ) -> None:
        self._credentials = credentials
        self._realm = self._nonce = b""
        self._transport = transport
        family = socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self._socket = socket.socket(family, kind)
        self._socket.settimeout(_RETRY_S if transport == "udp" else _RETRY_S * _TRIES)
        self._socket.connect((host, port))
        if transport == "tls":
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self._socket = context.wrap_socket(self._socket)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket.fileno() < 0:
            return
        if self._credentials and self._nonce:
            with suppress(TurnRefused):  # there may be no allocation to give back
                self.refresh(lifetime_s=0)
        self._socket.close()

    def bind(self) -> StunMessage:
        """Send a STUN Binding request and return the answer."""
        return self._exchange(BINDING, [])

    def allocate(
        self, *, family: Literal[4, 6] | None = None, protocol: int = _UDP, lifetime_s: int = 600
    ) -> RelayedAddress:
        """Allocate a relayed transport address.

        Raises:
            TurnRefused: If the server refuses.
        """
        attributes = {
            _TRANSPORT: bytes([protocol, 0, 0, 0]),
            _LIFETIME: struct.pack("!I", lifetime_s),
        }
        if family is not None:
            attributes[_FAMILY] = bytes([1 if family == 4 else 2, 0, 0, 0])
        answer = self._ask(ALLOCATE, attributes)
        host, port = _decode_address(answer.attributes[_RELAYED], answer.transaction)
        return RelayedAddress(host, port, int.from_bytes(answer.attributes[_LIFETIME]))

    def sealed_allocate(self) -> bytes:
        """Return an Allocate request as it goes on the wire, with the credentials used so far."""
        return self._encode(ALLOCATE, os.urandom(12), [(_TRANSPORT, bytes([_UDP, 0, 0, 0]))])

    def replay(self, packet: bytes) -> int | None:
        """Send a request that somebody else sealed; return the error it is answered with."""
        self._socket.sendall(packet)
        answer = _parse(self._receive_packet())
        assert answer is not None
        return answer.error_code

    def refresh(self, *, lifetime_s: int = 600) -> None:
        """Keep the allocation; a lifetime of 0 gives it back.

        Raises:
            TurnRefused: If the server refuses.
        """
        self._ask(REFRESH, {_LIFETIME: struct.pack("!I", lifetime_s)})

    def permit(self, peer: str) -> None:
        """Create a permission for a peer's address.

        Raises:
            TurnRefused: If the server refuses.
        """
        self._ask(CREATE_PERMISSION, {}, peer=(peer, 0))

    def bind_channel(self, number: int, peer: str, port: int) -> None:
        """Bind a channel to a peer.

        Raises:
            TurnRefused: If the server refuses.
        """
        channel = struct.pack("!HH", number, 0)
        self._ask(CHANNEL_BIND, {_CHANNEL_NUMBER: channel}, peer=(peer, port))

    def connect(self, peer: str, port: int) -> None:
        """Ask for a TCP connection to a peer (RFC 6062).

        Raises:
            TurnRefused: If the server refuses.
        """
        self._ask(CONNECT, {}, peer=(peer, port))

    def send(self, number: int, payload: bytes) -> None:
        """Send to the channel's peer."""
        self._socket.sendall(_padded(struct.pack("!HH", number, len(payload)) + payload))

    def receive(self) -> tuple[int, bytes]:
        """Return channel number and payload of the next datagram from a peer."""
        packet = self._receive_packet()
        number, length = struct.unpack_from("!HH", packet)
        return number, packet[4 : 4 + length]

    def _ask(
        self, method: int, attributes: dict[int, bytes], peer: tuple[str, int] | None = None
    ) -> StunMessage:
        """Return the answer of success, authenticating when the server asks for it."""
        answer = self._attempt(method, attributes, peer)
        if answer.error_code in {401, 438} and self._credentials and _NONCE in answer.attributes:
            is_second_refusal = self._nonce and answer.error_code == 401
            self._realm = answer.attributes.get(_REALM, self._realm)
            self._nonce = answer.attributes[_NONCE]
            if not is_second_refusal:
                answer = self._attempt(method, attributes, peer)
        if answer.error_code is not None:
            raise TurnRefused(answer.error_code, answer)
        return answer

    def _attempt(
        self, method: int, attributes: dict[int, bytes], peer: tuple[str, int] | None
    ) -> StunMessage:
        return self._exchange(method, list(attributes.items()), peer)

    def _exchange(
        self, method: int, attributes: list[tuple[int, bytes]], peer: tuple[str, int] | None = None
    ) -> StunMessage:
        transaction = os.urandom(12)
        if peer is not None:
            attributes = [*attributes, (_PEER, _encode_address(*peer, transaction))]
        request = self._encode(method, transaction, attributes)
        for _ in range(_TRIES):
            self._socket.sendall(request)
            try:
                while True:
                    answer = _parse(self._receive_packet())
                    if answer is not None and answer.transaction == transaction:
                        return answer
            except TimeoutError:
                continue
        raise TimeoutError("the TURN server does not answer")

    def _encode(
        self, method: int, transaction: bytes, attributes: list[tuple[int, bytes]]
    ) -> bytes:
        if self._credentials is None or not self._nonce:
            return _message(method, transaction, attributes)
        username, password = self._credentials
        login = [
            (_USERNAME, username.encode()),
            (_REALM, self._realm),
            (_NONCE, self._nonce),
        ]
        secret = b":".join([username.encode(), self._realm, password.encode()])
        key = hashlib.md5(secret, usedforsecurity=False).digest()
        placeholder = (_INTEGRITY, bytes(20))
        unsigned = _message(method, transaction, [*attributes, *login, placeholder])
        digest = hmac.new(key, unsigned[:-24], hashlib.sha1).digest()
        return unsigned[:-20] + digest

    def _receive_packet(self) -> bytes:
        if self._transport == "udp":
            return self._socket.recv(65_535)
        head = self._read(4)
        length = struct.unpack_from("!H", head, 2)[0]
        if head[0] < 0x40:
            return head + self._read(length + _HEADER_BYTES - 4)
        return head + self._read((length + 3) // 4 * 4)

    def _read(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            piece = self._socket.recv(count - len(received))
            if not piece:
                raise ConnectionError("the TURN server closed the connection")
            received += piece
        return received


def _message(method: int, transaction: bytes, attributes: list[tuple[int, bytes]]) -> bytes:
    body = b"".join(
        _padded(struct.pack("!HH", kind, len(value)) + value) for kind, value in attributes
    )
    return struct.pack("!HHI", method, len(body), _COOKIE) + transaction + body


def _padded(text: bytes) -> bytes:
    return text + bytes(-len(text) % 4)


def _parse(packet: bytes) -> StunMessage | None:
    """Return the STUN message in a packet; None for channel data."""
    if packet[0] >= 0x40:
        return None
    kind = struct.unpack_from("!H", packet)[0]
    attributes: dict[int, bytes] = {}
    offset = _HEADER_BYTES
    while offset < len(packet):
        name, length = struct.unpack_from("!HH", packet, offset)
        attributes[name] = packet[offset + 4 : offset + 4 + length]
        offset += 4 + (length + 3) // 4 * 4
    return StunMessage(kind, packet[8:_HEADER_BYTES], attributes)


def _encode_address(host: str, port: int, transaction: bytes) -> bytes:
    address = ip_address(host)
    mask = struct.pack("!I", _COOKIE) + transaction
    masked = bytes(a ^ b for a, b in zip(address.packed, mask, strict=False))
    family = 1 if address.version == 4 else 2
    return struct.pack("!BBH", 0, family, port ^ (_COOKIE >> 16)) + masked


def _decode_address(value: bytes, transaction: bytes) -> tuple[str, int]:
    mask = struct.pack("!I", _COOKIE) + transaction
    packed = bytes(a ^ b for a, b in zip(value[4:], mask, strict=False))
    port = struct.unpack_from("!H", value, 2)[0] ^ (_COOKIE >> 16)
    return str(ip_address(packed)), port
