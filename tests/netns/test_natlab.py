"""The laboratory's networks are what their names say, and nothing of them stays behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from talkbutton.operate.natlab.lab import Lab, clear_leftovers, leftovers, running_lab
from talkbutton.operate.natlab.network import NETWORKS
from talkbutton.operate.natlab.plan import SERVER_V4, SERVER_V6

pytestmark = pytest.mark.netns

PROBE = str(Path(__file__).parents[1] / "support" / "nat_probe.py")
VISITOR_NAT = "198.51.100.2"


def examine(lab: Lab, *how: str) -> dict[str, Any]:
    server = lab.popen("server", [sys.executable, PROBE, "serve"], stdout=subprocess.PIPE)
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"
    done = run(lab, [sys.executable, PROBE, *(how or ("ask",))])
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def run(lab: Lab, command: list[str], *, role: str = "visitor") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        lab.inside(role, command), capture_output=True, text=True, timeout=30, check=False
    )


def reaches(lab: Lab, port: int, *, host: str = SERVER_V4) -> bool:
    """Whether the visitor can open a TCP connection to the server."""
    code = (
        "import socket, sys\n"
        "socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1.5).close()"
    )
    return run(lab, [sys.executable, "-c", code, host, str(port)]).returncode == 0


def listen(lab: Lab, *ports: int, host: str = "0.0.0.0") -> None:
    code = (
        "import socket, sys, time\n"
        "family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET\n"
        "made = [socket.create_server((sys.argv[1], int(p)), family=family)"
        " for p in sys.argv[2:]]\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)"
    )
    command = [sys.executable, "-c", code, host, *(str(port) for port in ports)]
    server = lab.popen("server", command, stdout=subprocess.PIPE)
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"


@pytest.mark.parametrize(
    ("name", "address", "is_symmetric", "other_port", "other_address"),
    [
        ("open", VISITOR_NAT, False, True, True),
        ("full-cone", VISITOR_NAT, False, True, True),
        ("address-restricted", VISITOR_NAT, False, True, False),
        ("port-restricted", VISITOR_NAT, False, False, False),
        ("symmetric", VISITOR_NAT, True, False, False),
        ("carrier", VISITOR_NAT, True, False, False),
    ],
)
def test_a_nat_maps_and_filters_as_it_is_called(
    name: str, address: str, is_symmetric: bool, other_port: bool, other_address: bool
) -> None:
    with running_lab(NETWORKS[name]) as lab:
        assert examine(lab) == {
            "address": address,
            "is_symmetric": is_symmetric,
            "other_port_answers": other_port,
            "other_address_answers": other_address,
        }


def test_a_mapping_lives_as_long_as_it_should() -> None:
    with running_lab(NETWORKS["forgetful"]) as lab:
        setting = "net.netfilter.nf_conntrack_udp_timeout"
        for suffix in ("", "_stream"):
            assert run(lab, ["sysctl", "-n", setting + suffix], role="r1").stdout == "15\n"


@pytest.mark.parametrize(
    ("name", "open_ports", "is_udp_open"),
    [
        ("no-udp", {80, 443, 3_478}, False),
        ("only-443", {443}, False),
        ("captive", {80, 443}, False),
        ("proxy", set(), False),
        ("port-restricted", {80, 443, 3_478}, True),
    ],
)
def test_a_firewall_lets_through_what_it_should(
    name: str, open_ports: set[int], is_udp_open: bool
) -> None:
    with running_lab(NETWORKS[name]) as lab:
        listen(lab, 80, 443, 3_478)
        assert {port for port in (80, 443, 3_478) if reaches(lab, port)} == open_ports
        assert (examine(lab)["address"] is not None) is is_udp_open


def test_the_proxy_is_the_one_way_out_and_leads_to_443_alone() -> None:
    code = (
        "import socket, sys\n"
        "s = socket.create_connection((sys.argv[1], 3128), timeout=3)\n"
        "s.sendall(f'CONNECT {sys.argv[2]} HTTP/1.1\\r\\n\\r\\n'.encode())\n"
        "print(s.recv(100).decode().split()[1])"
    )
    with running_lab(NETWORKS["proxy"]) as lab:
        listen(lab, 443, 8_443)
        proxy = lab.plan.proxy_address
        assert proxy is not None
        ask = [sys.executable, "-c", code, proxy]
        assert run(lab, [*ask, f"{SERVER_V4}:443"]).stdout == "200\n"
        assert run(lab, [*ask, f"{SERVER_V4}:8443"]).stdout == "403\n"


@pytest.mark.parametrize(("name", "is_there"), [("ipv6", True), ("broken-ipv6", False)])
def test_ipv6_leads_to_the_server_unless_it_is_broken(name: str, is_there: bool) -> None:
    with running_lab(NETWORKS[name]) as lab:
        listen(lab, 443, host="::")
        assert reaches(lab, 443, host=SERVER_V6) is is_there


def test_weather_delays_both_ways() -> None:
    with running_lab(NETWORKS["satellite"]) as lab:
        found = examine(lab, "weigh", "3")
        assert found["received"] == 3
        assert found["first_ms"] >= 600


def test_bursts_lose_about_three_in_a_hundred_each_way() -> None:
    with running_lab(NETWORKS["mobile"]) as lab:
        found = examine(lab, "weigh", "1000")
        assert 850 < found["received"] < 990


@pytest.fixture
def nothing_before() -> Iterator[None]:
    clear_leftovers()
    yield
    assert leftovers() == []


@pytest.mark.usefixtures("nothing_before")
def test_nothing_stays_behind_even_when_it_is_killed() -> None:
    code = (
        "from talkbutton.operate.natlab.lab import running_lab\n"
        "from talkbutton.operate.natlab.network import NETWORKS\n"
        "import time\n"
        "with running_lab(NETWORKS['satellite']):\n"
        "    print('up', flush=True)\n"
        "    time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as builder:
        assert builder.stdout is not None
        assert builder.stdout.readline() == b"up\n"
        os.kill(builder.pid, signal.SIGKILL)
    assert len(leftovers()) == 4
    clear_leftovers()
    assert leftovers() == []
    assert not _still_runs("talkbutton.operate.natlab.weather")


def _still_runs(module: str) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        lines = [
            path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if _is_there(path)
        ]
        if not any(module.encode() in line for line in lines):
            return False
        time.sleep(0.05)
    return True


def _is_there(path: Path) -> bool:
    try:
        path.read_bytes()
    except OSError:
        return False
    return True
