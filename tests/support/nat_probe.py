"""Looks at a network from inside: ``serve`` on the server, ``ask`` or ``weigh`` at the visitor.

The server answers each datagram with the address that it saw; asked to, from another port or
another address. Source: RFC 5780, sections 4.3 and 4.4.
"""

import json
import select
import socket
import sys
import time

MAIN, OTHER = "203.0.113.10", "203.0.113.11"
PORT, OTHER_PORT = 7_001, 7_002
SILENCE_S = 0.4
DEADLINE_S = 3.0


def bound(address: str, port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind((address, port))
    return opened


def serve() -> None:
    sockets = {
        "same": bound(MAIN, PORT),
        "other-port": bound(MAIN, OTHER_PORT),
        "other-address": bound(OTHER, PORT),
    }
    print("ready", flush=True)  # noqa: T201
    while True:
        for readable in select.select(list(sockets.values()), [], [])[0]:
            wanted, sender = readable.recvfrom(100)
            answering = readable if wanted == b"same" else sockets[wanted.decode()]
            answering.sendto(json.dumps(sender).encode(), sender)


def ask(asking: socket.socket, address: str, port: int, answer_from: str) -> tuple[str, int] | None:
    """Return the address the server saw; None if no answer gets through."""
    asking.settimeout(DEADLINE_S if answer_from == "same" else SILENCE_S)
    asking.sendto(answer_from.encode(), (address, port))
    try:
        host, seen_port = json.loads(asking.recv(100))
    except TimeoutError:
        return None
    return str(host), int(seen_port)


def examine() -> dict[str, object]:
    with bound("0.0.0.0", 0) as asking:
        first = ask(asking, MAIN, PORT, "same")
        if first is None:
            return {"address": None}
        by_port = ask(asking, MAIN, PORT, "other-port")
        by_address = ask(asking, MAIN, PORT, "other-address")
        mapped = {ask(asking, MAIN, OTHER_PORT, "same"), ask(asking, OTHER, PORT, "same"), first}
    return {
        "address": first[0],
        "is_symmetric": len(mapped) > 1,
        "other_port_answers": by_port is not None,
        "other_address_answers": by_address is not None,
    }


def weigh(packets: int) -> dict[str, object]:
    """Send packets 4 ms apart; return how many came back, and the shortest way in ms."""
    sent_at: list[float] = []
    times: list[float] = []
    with bound("0.0.0.0", 0) as asking:
        asking.connect((MAIN, PORT))
        ends_at = time.monotonic() + packets * 0.004 + 1.5
        while (now := time.monotonic()) < ends_at and len(times) < packets:
            if len(sent_at) < packets and (not sent_at or now - sent_at[-1] >= 0.004):
                sent_at.append(now)
                asking.send(b"same")
            if select.select([asking], [], [], 0.002)[0]:
                asking.recv(100)
                times.append(time.monotonic() - sent_at[len(times)])
    return {"received": len(times), "first_ms": times[0] * 1000 if times else None}


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    found = examine() if sys.argv[1] == "ask" else weigh(int(sys.argv[2]))
    print(json.dumps(found))  # noqa: T201
