import os
import socket

import pytest

from talkbutton.operate.doctor.listening import judge_sockets
from talkbutton.operate.doctor.probe import Broken, Held
from talkbutton.operate.doctor.sockets import OpenSocket, is_port_open, open_sockets

pytestmark = pytest.mark.shell


def test_a_process_shows_the_sockets_that_take_packets_or_connections() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as datagrams,
        socket.create_connection(server.getsockname()) as connected,
    ):
        datagrams.bind(("::1", 0))
        found = open_sockets(os.getpid())
        assert OpenSocket("tcp", "127.0.0.1", server.getsockname()[1]) in found
        assert OpenSocket("udp", "::1", datagrams.getsockname()[1]) in found
        assert connected.getsockname()[1] not in {one.port for one in found}
        assert is_port_open(*server.getsockname())
        port = server.getsockname()[1]
    assert not is_port_open("127.0.0.1", port)


def test_a_socket_that_is_not_allowed_is_named() -> None:
    right, wrong = OpenSocket("udp", "127.0.0.1", 5060), OpenSocket("tcp", "::", 8088)
    assert judge_sockets([right], lambda one: one == right) == Held("udp 127.0.0.1:5060")
    assert judge_sockets([right, wrong], lambda one: one == right) == Broken("tcp [::]:8088")
    assert judge_sockets([], lambda _: False) == Held("no socket")
