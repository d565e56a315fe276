from ipaddress import ip_network

import pytest

from talkbutton.edge.doors import Doors

pytestmark = pytest.mark.edge


def test_doors_count_by_address_and_in_all_and_leaving_twice_is_leaving_once() -> None:
    doors = Doors(all_max=3, per_address_max=2, exempt=[ip_network("10.0.0.0/8")])
    first = doors.enter("192.0.2.1")
    assert first is not None
    assert doors.enter("192.0.2.1") is not None
    assert doors.enter("192.0.2.1") is None
    first()
    first()
    assert len(doors) == 1
    assert doors.enter("10.0.0.1") is not None
    assert doors.enter("10.0.0.1") is not None
    assert doors.enter("192.0.2.2") is None


def test_a_proxy_counts_in_all_only() -> None:
    doors = Doors(all_max=5, per_address_max=1, exempt=[ip_network("10.0.0.0/8")])
    assert all(doors.enter("10.0.0.1") is not None for _ in range(5))
    assert doors.enter("10.0.0.1") is None
