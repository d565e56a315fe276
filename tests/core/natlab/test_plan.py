import pytest

from talkbutton.operate.natlab.network import NETWORKS, Network, Router
from talkbutton.operate.natlab.plan import plan

pytestmark = pytest.mark.core


def test_from_the_visitor_to_the_server() -> None:
    made = plan(NETWORKS["carrier"])
    assert made.namespaces == ("visitor", "r1", "r2", "internet", "server")
    assert [(cable.inner, cable.outer, cable.v4) for cable in made.cables] == [
        ("visitor", "r1", "192.168.1"),
        ("r1", "r2", "100.64.1"),
        ("r2", "internet", "198.51.100"),
        ("server", "internet", "203.0.113"),
    ]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_server_knows_no_way_behind_a_nat(name: str) -> None:
    routes = [
        " ".join(step.words)
        for step in plan(NETWORKS[name]).steps
        if step.namespace == "server" and "route" in step.words
    ]
    assert len(routes) == 2
    assert not any("192.168" in route or "100.64" in route for route in routes)
    assert not any("default" in route for route in routes)


def test_only_what_can_be_built_can_be_described() -> None:
    with pytest.raises(ValueError, match="IPv4 alone"):
        Network("x", "x", (Router(),), families=("ipv6",))
    with pytest.raises(ValueError, match="symmetric"):
        Router(filtering="endpoint_independent", is_symmetric=True)
