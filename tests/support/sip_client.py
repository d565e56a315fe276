"""A SIP caller with little more than it takes to ask and to authenticate, over UDP.

Source: SIP RFC 3261; digest authentication RFC 7616 with MD5.
"""

import hashlib
import re
import secrets
import socket
import time
from dataclasses import dataclass, field
from typing import Self

__all__ = ["SipAnswer", "SipCaller", "SipTransaction"]

_RESEND_S = 0.5
_ANSWER_MAX_S = 10.0


@dataclass(frozen=True, slots=True)
class SipAnswer:
    """One response.

    Attributes:
        status: Status code, such as 404.
        headers: By name in lower case; the last of several.
        body: What follows them.
    """

    status: int
    headers: dict[str, str]
    body: str = ""


@dataclass(frozen=True, slots=True)
class SipTransaction:
    """One request that was sent."""

    method: str
    uri: str
    branch: str
    sequence: int
    call_id: str
    from_tag: str
    text: bytes = field(repr=False)


class SipCaller:
    """One SIP identity on a UDP port of its own.

    Args:
        server: Address and port of the SIP server.
        user: User name in From and in the credentials.
        password: Of the user; None never authenticates.
        source: Address to send from; None takes the server's own.
        rtp_port: Port in the SDP; None takes the one that SIP comes from.
    """

    def __init__(
        self,
        server: tuple[str, int],
        *,
        user: str,
        password: str | None,
        source: str | None = None,
        rtp_port: int | None = None,
    ) -> None:
        self._server, self._user, self._password = server, user, password
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((source or server[0], 0))
        self._port = self._socket.getsockname()[1]
        self._rtp_port = rtp_port or self._port
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, method: str, target: str, **headers: str) -> SipAnswer:
        """Send a request, authenticate when asked to, and return the final answer."""
        return self.final(self.start(method, target, **headers))

    def start(self, method: str, target: str, **headers: str) -> SipTransaction:
        """Send a request, with credentials when the server wants them and there are some.

        Args:
            method: SIP method.
            target: User part of the request's URI.
            headers: More headers; ``_`` stands for ``-``.
        """
        call_id = secrets.token_hex(8)
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        first = self._send(method, target, call_id, lines)
        if self._password is None:
            return first
        challenge = self.final(first)
        assert challenge.status == 401, challenge
        answer = self._authorization(method, first.uri, challenge.headers["www-authenticate"])
        return self._send(method, target, call_id, [*lines, f"Authorization: {answer}"])

    def final(self, transaction: SipTransaction) -> SipAnswer:
        """Return the final answer to a request, acknowledging it where SIP wants that."""
        give_up_at = time.monotonic() + _ANSWER_MAX_S
        was_heard = False
        self._socket.settimeout(_RESEND_S)
        while time.monotonic() < give_up_at:
            try:
                answer = _parse(self._socket.recv(65_535))
            except TimeoutError:
                if not was_heard:
                    self._socket.sendto(transaction.text, self._server)
                continue
            if answer is None or transaction.branch not in answer.headers["via"]:
                continue
            was_heard = True
            if answer.status >= 200:
                if transaction.method == "INVITE":
                    self._acknowledge(transaction, answer)
                return answer
        raise TimeoutError(f"no final answer to {transaction.method} {transaction.uri}")

    def within(
        self, call: SipTransaction, answer: SipAnswer, method: str, **headers: str
    ) -> SipAnswer:
        """Send a request inside the dialog that ``answer`` opened, and return the final answer."""
        host, port = self._server
        uri = f"sip:{host}:{port}"
        more = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]

        def text(sequence: int, branch: str, lines: list[str]) -> bytes:
            head = [
                f"{method} {uri} SIP/2.0",
                f"Via: SIP/2.0/UDP {host}:{self._port};branch={branch};rport",
                "Max-Forwards: 70",
                f"From: <sip:{self._user}@{host}>;tag={call.from_tag}",
                f"To: {answer.headers['to']}",
                f"Call-ID: {call.call_id}",
                f"CSeq: {sequence} {method}",
                f"Contact: <sip:{self._user}@{host}:{self._port}>",
                *lines,
                "Content-Length: 0",
            ]
            return "\r\n".join([*head, "", ""]).encode()

        def send(lines: list[str]) -> SipTransaction:
            branch = f"z9hG4bK{secrets.token_hex(8)}"
            self._sequence += 1
            packet = text(self._sequence, branch, lines)
            self._socket.sendto(packet, self._server)
            return SipTransaction(
                method, uri, branch, self._sequence, call.call_id, call.from_tag, packet
            )

        first = self.final(send(more))
        if first.status != 401:
            return first
        login = self._authorization(method, uri, first.headers["www-authenticate"])
        return self.final(send([*more, f"Authorization: {login}"]))

    def _send(self, method: str, target: str, call_id: str, lines: list[str]) -> SipTransaction:
        self._sequence += 1
        host, port = self._server
        uri = f"sip:{target}@{host}:{port}" if target else f"sip:{host}:{port}"
        branch = f"z9hG4bK{secrets.token_hex(8)}"
        tag = secrets.token_hex(4)
        body = self._offer() if method == "INVITE" else ""
        head = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{self._port};branch={branch};rport",
            "Max-Forwards: 70",
            f"From: <sip:{self._user}@{host}>;tag={tag}",
            f"To: <{uri}>",
            f"Call-ID: {call_id}",
            f"CSeq: {self._sequence} {method}",
            f"Contact: <sip:{self._user}@{host}:{self._port}>",
            *lines,
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        text = "\r\n".join([*head, "", body]).encode()
        self._socket.sendto(text, self._server)
        return SipTransaction(method, uri, branch, self._sequence, call_id, tag, text)

    def _acknowledge(self, transaction: SipTransaction, answer: SipAnswer) -> None:
        host = self._server[0]
        lines = [
            f"ACK {transaction.uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{self._port};branch={transaction.branch};rport",
            "Max-Forwards: 70",
            f"From: <sip:{self._user}@{host}>;tag={transaction.from_tag}",
            f"To: {answer.headers['to']}",
            f"Call-ID: {transaction.call_id}",
            f"CSeq: {transaction.sequence} ACK",
            "Content-Length: 0",
        ]
        self._socket.sendto("\r\n".join([*lines, "", ""]).encode(), self._server)

    def _authorization(self, method: str, uri: str, challenge: str) -> str:
        given = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))
        nonce, count, client_nonce = given["nonce"], "00000001", secrets.token_hex(8)
        secret = _md5(f"{self._user}:{given['realm']}:{self._password}")
        digest = _md5(f"{secret}:{nonce}:{count}:{client_nonce}:auth:{_md5(f'{method}:{uri}')}")
        return (
            f'Digest username="{self._user}", realm="{given["realm"]}", nonce="{nonce}", '
            f'uri="{uri}", response="{digest}", algorithm=MD5, qop=auth, nc={count}, '
            f'cnonce="{client_nonce}"'
            + (f', opaque="{given["opaque"]}"' if "opaque" in given else "")
        )

    def _offer(self) -> str:
        host = self._server[0]
        lines = [
            "v=0",
            f"o=- 1 1 IN IP4 {host}",
            "s=-",
            f"c=IN IP4 {host}",
            "t=0 0",
            f"m=audio {self._rtp_port} RTP/AVP 0",
            "a=rtpmap:0 PCMU/8000",
            "",
        ]
        return "\r\n".join(lines)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _parse(packet: bytes) -> SipAnswer | None:
    """Return the response in a packet; None for a request."""
    text, _, body = packet.decode(errors="replace").partition("\r\n\r\n")
    head = text.split("\r\n")
    if not head[0].startswith("SIP/2.0 "):
        return None
    headers = {}
    for line in head[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return SipAnswer(int(head[0].split()[1]), headers, body)
