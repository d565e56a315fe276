from collections.abc import Callable

import pytest

from talkbutton.operate.doctor.origins import lookalikes
from talkbutton.rules.admission.origin import is_origin_allowed

pytestmark = pytest.mark.core


@pytest.mark.parametrize(
    "origin", ["https://shop.example", "http://127.0.0.1:8080", "https://shop.example:4443"]
)
def test_no_lookalike_is_the_origin_itself(origin: str) -> None:
    found = lookalikes(origin)
    assert len(set(found)) == len(found)
    assert not any(is_origin_allowed(one, [origin]) for one in found)


def test_careless_comparisons_would_take_them() -> None:
    origin = "https://shop.example"
    found = lookalikes(origin)
    careless: dict[str, Callable[[str], bool]] = {
        "begins with": lambda one: one.startswith(origin),
        "ends with": lambda one: one.endswith("shop.example"),
        "holds": lambda one: "shop.example" in one,
        "same host": lambda one: one.split("://")[1].split(":")[0] == "shop.example",
        "in a list": lambda one: origin in one.split(", "),
    }
    for how, is_taken in careless.items():
        assert any(is_taken(one) for one in found), how
