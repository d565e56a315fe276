import socket
from contextlib import closing

import pytest

from talkbutton.bridge.ports import PortPool
from talkbutton.settings.model import PortRange

pytestmark = pytest.mark.shell

HOST = "127.0.0.1"
RANGE = PortRange(first=26_100, last=26_105)  # 26100, 26102, 26104


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def pool(clock: Clock, ports: PortRange = RANGE) -> PortPool:
    return PortPool(HOST, ports, rest_s=5.0, now=clock)


def port_of(sock: socket.socket) -> int:
    port: int = sock.getsockname()[1]
    return port


def test_hands_out_bound_sockets_on_even_ports() -> None:
    ports = pool(Clock(), PortRange(first=26_111, last=26_120))
    one, other = ports.take(), ports.take()
    assert (port_of(one), port_of(other)) == (26_112, 26_114)
    assert not one.getblocking()
    with (
        closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as third,
        pytest.raises(OSError, match="in use"),
    ):
        third.bind((HOST, 26_112))
    ports.give_back(one)
    ports.give_back(other)
    assert ports.taken_ports == frozenset()


def test_passes_over_ports_that_others_use() -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as other:
        other.bind((HOST, 26_100))
        ports = pool(Clock())
        with closing(ports.take()) as sock:
            assert port_of(sock) == 26_102


def test_a_port_rests_before_it_is_used_again() -> None:
    clock = Clock()
    ports = pool(clock, PortRange(first=26_100, last=26_103))
    one, other = ports.take(), ports.take()
    ports.give_back(one)
    with pytest.raises(OSError, match=r"bridge\.rtp_ports \(26100 to 26103\)"):
        ports.take()
    clock.now += 5.0
    again = ports.take()
    assert port_of(again) == 26_100
    ports.give_back(again)
    ports.give_back(other)


def test_the_longest_unused_port_comes_first() -> None:
    clock = Clock()
    ports = pool(clock)
    used = []
    for _ in range(6):
        sock = ports.take()
        used.append(port_of(sock))
        ports.give_back(sock)
        clock.now += 10
    assert used == [26_100, 26_102, 26_104] * 2


def test_an_address_of_another_machine_is_said() -> None:
    with pytest.raises(OSError, match=r"network\.private_address"):
        PortPool("192.0.2.1", RANGE).take()
