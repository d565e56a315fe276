"""Types that settings are made of: ports, addresses, names, and what every block shares. Pure."""

import re
from ipaddress import ip_address, ip_network
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
    "AddressPort",
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


def _address_port(text: str) -> str:
    found = _ADDRESS_PORT.fullmatch(text)
    try:
        address = None if found is None else ip_address(found["v6"] or found["v4"])
    except ValueError:
        address = None
    if found is None or address is None or not 1 <= int(found["port"]) <= PORT_MAX:
        raise refused("is no address with a port", "write 203.0.113.11:443 or [2001:db8::11]:443")
    return f"[{address}]:{found['port']}" if address.version == 6 else text


_ADDRESS_PORT = re.compile(
    r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<v4>[0-9.]+)):(?P<port>[1-9][0-9]{0,4})"
)
PORT_MAX = 65_535
Port = Annotated[int, Field(ge=1, le=PORT_MAX)]
Address = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F.:]+$")]
AddressPort = Annotated[str, AfterValidator(_address_port)]
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
