"""Types that settings are made of: ports, addresses, names, and what every block shares. Pure."""

from ipaddress import ip_network
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from talkbutton.settings.origins import BadOriginError, parse_origin_pattern

__all__ = [
    "Address",
    "Block",
    "Extension",
    "Name",
    "Network",
    "Origin",
    "Port",
    "PortRange",
    "Secret",
    "refused",
]


def refused(problem: str, hint: str) -> PydanticCustomError:
    """Return the error of a validator whose words an operator is to read as they are."""
    return PydanticCustomError("refused", "{problem}; {hint}", {"problem": problem, "hint": hint})


def _network(text: str) -> str:
    try:
        network = ip_network(text)
    except ValueError:
        raise refused(
            "is no network", "write an address or a network, such as 10.0.0.0/24"
        ) from None
    if network.prefixlen == 0:
        raise refused("is everybody", "name the proxies' own addresses")
    return str(network)


def _origin(text: str) -> str:
    try:
        return parse_origin_pattern(text).text
    except BadOriginError as exc:
        raise refused(exc.problem, exc.hint) from None


Port = Annotated[int, Field(ge=1, le=65_535)]
Address = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F.:]+$")]
Network = Annotated[str, AfterValidator(_network)]
Origin = Annotated[str, AfterValidator(_origin)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
Extension = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,16}$")]
Secret = Annotated[SecretStr, Field(min_length=32, max_length=90)]
"""Long enough for HS256; short enough for the buffer into which Janus copies the SIP password."""


class Block(BaseModel):
    """A table of settings: frozen, strict, without unknown keys, described by its fields."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, strict=True
    )


class PortRange(Block):
    """UDP ports of one part, both ends included."""

    first: Port
    """First port."""

    last: Port
    """Last port, inclusive."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.first > self.last:
            raise ValueError(f"first {self.first} is above last {self.last}")
        return self

    def overlaps(self, other: "PortRange") -> bool:
        """Return whether the two ranges share a port."""
        return self.first <= other.last and other.first <= self.last
