"""A visitor's address as what it is counted and bound by.

One IPv6 visitor has a /64 to choose addresses from, and often a /48: counting single addresses
would limit nobody. IPv4 addresses that come mapped or translated into IPv6 are taken as themselves.

Source: RFC 4291, section 2.5.5.2 (mapped); RFC 6052, section 2.1 (translated); RFC 6177 (sites).
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = ["AddressKeys", "address_keys", "address_prefix", "wider_bucket"]

_TRANSLATED = IPv6Network("64:ff9b::/96")
_SUBNET_BITS = 64
_SITE_BITS = 48


@dataclass(frozen=True, slots=True)
class AddressKeys:
    """Under what an address is counted.

    Attributes:
        exact: The address itself, in its one canonical form.
        v6_64: Its /64, such as ``2001:db8:1:2::/64``; None for IPv4.
        v6_48: Its /48; None for IPv4.
    """

    exact: str
    v6_64: str | None = None
    v6_48: str | None = None

    @property
    def bucket(self) -> str:
        """What stands for one visitor: an IPv4 address, or an IPv6 /64."""
        return self.v6_64 or self.exact


def address_keys(address: str) -> AddressKeys:
    """Return under what ``address`` is counted.

    Raises:
        ValueError: If it is not an IP address.
    """
    parsed = _parse(address)
    if isinstance(parsed, IPv4Address):
        return AddressKeys(str(parsed))
    return AddressKeys(str(parsed), _network(parsed, _SUBNET_BITS), _network(parsed, _SITE_BITS))


def wider_bucket(bucket: str) -> str | None:
    """Return the /48 around an IPv6 visitor's bucket; None for an IPv4 one.

    Raises:
        ValueError: If it is not a bucket of ``AddressKeys``.
    """
    network = ip_network(bucket)
    if isinstance(network, IPv6Network):
        return str(network.supernet(new_prefix=_SITE_BITS))
    return None


def address_prefix(address: str, *, v4_bits: int, v6_bits: int) -> str:
    """Return the network of ``address`` with so many bits.

    Raises:
        ValueError: If it is not an IP address.
    """
    parsed = _parse(address)
    return _network(parsed, v4_bits if isinstance(parsed, IPv4Address) else v6_bits)


def _parse(address: str) -> IPv4Address | IPv6Address:
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv4Address):
        return parsed
    if parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    if parsed in _TRANSLATED:
        return IPv4Address(int(parsed) & 0xFFFF_FFFF)
    return parsed


def _network(address: IPv4Address | IPv6Address, bits: int) -> str:
    return str(ip_network((address, bits), strict=False))
