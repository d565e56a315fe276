"""The client's address from what reverse proxies say about it.

Every proxy on the way appends the address it was asked from; whatever is left of that, the client
itself may have written. So the list is read from the right: addresses of trusted proxies are passed
over, and the first other one is the client. What cannot be read on the way there, such as a hop
that hides its name, gives up and names the socket's peer: limits then count all such clients as
one, which is the safe mistake.

Source: RFC 7239 (Forwarded), sections 4 to 6; X-Forwarded-For has no standard, addresses separated
by commas are what proxies write.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

__all__ = ["FORWARDED", "X_FORWARDED_FOR", "client_address", "plain_address"]

FORWARDED = "forwarded"
"""The standard's header, in small letters."""

X_FORWARDED_FOR = "x-forwarded-for"
"""The older one, in small letters."""

_HEADER_MAX_CHARS = 2_048
_HOPS_MAX = 20

_V4 = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
_V6 = r"[0-9A-Fa-f:.]{2,45}"
_NODE = re.compile(rf"(?P<v4>{_V4})(?::[0-9]{{1,5}})?|\[(?P<v6>{_V6})\](?::[0-9]{{1,5}})?")
_BARE_V6 = re.compile(_V6)

# A quoted value of a real proxy holds an address, a name or a scheme. Without commas, semicolons
# and escapes in it, a client can not open a quote that swallows what the proxy appends.
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - a grammar's, no secret
_PAIR = re.compile(
    rf'[ \t]*(?P<name>{_TOKEN})=(?:(?P<token>{_TOKEN})|"(?P<quoted>[^",;\\]*)")[ \t]*'
)

Networks = Collection[IPv4Network | IPv6Network]


def client_address(peer: str, values: Sequence[str], *, header: str, trusted: Networks) -> str:
    """Return the address of the client that asks.

    Args:
        peer: Address at the other end of the socket.
        values: The values of ``header``, in the order of the request's lines.
        header: ``FORWARDED`` or ``X_FORWARDED_FOR``, whichever the trusted proxies write.
        trusted: Networks of the proxies that are believed.

    Returns:
        An IP address in its shortest form, IPv4 where it is mapped into IPv6.

    Raises:
        ValueError: If ``peer`` is not an IP address.
    """
    nearest = plain_address(peer)
    if not _is_in(nearest, trusted) or sum(map(len, values)) > _HEADER_MAX_CHARS:
        return nearest
    read = _forwarded_hop if header == FORWARDED else _plain_hop
    client = nearest
    for passed, hop in enumerate(_from_the_right(values)):
        address = read(hop)
        if address is None or passed == _HOPS_MAX:
            return nearest
        client = address
        if not _is_in(address, trusted):
            break
    return client


def plain_address(text: str) -> str:
    """Return an IP address in its shortest form, IPv4 where it is mapped, without a zone.

    Raises:
        ValueError: If it is not an IP address.
    """
    parsed = ip_address(text.partition("%")[0])
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return str(parsed)


def _is_in(address: str, networks: Networks) -> bool:
    parsed = ip_address(address)
    return any(parsed in network for network in networks)


def _from_the_right(values: Sequence[str]) -> Iterator[str]:
    for value in reversed(values):
        yield from reversed(value.split(","))


def _plain_hop(text: str) -> str | None:
    return _read_node(text.strip(" \t"))


def _forwarded_hop(text: str) -> str | None:
    """Return the ``for`` of one element; None without one, or where it is not an address."""
    pairs: dict[str, str] = {}
    for one in text.split(";"):
        found = _PAIR.fullmatch(one)
        if found is None or found["name"].lower() in pairs:
            return None
        value = found["quoted"] if found["token"] is None else found["token"]
        pairs[found["name"].lower()] = value
    return _read_node(pairs.get("for", ""))


def _read_node(text: str) -> str | None:
    found = _NODE.fullmatch(text)
    if found is not None:
        address = found["v4"] or found["v6"]
    elif _BARE_V6.fullmatch(text) is not None:
        address = text
    else:
        return None
    try:
        return plain_address(address)
    except ValueError:
        return None
