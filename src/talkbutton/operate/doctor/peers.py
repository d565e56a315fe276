"""Addresses that a relay must not lead to, in all their disguises. Pure.

Source: RFC 8656, section 21; RFC 4291, RFC 3056, RFC 6052 (forms of IPv4 in IPv6).
"""

__all__ = ["DISGUISED", "LINK", "LOOPBACK", "MULTICAST", "PRIVATE", "STRANGERS"]

LOOPBACK = ("127.0.0.1", "127.1.2.3", "0.0.0.0", "::1", "::")
"""This machine itself."""

DISGUISED = (
    *("::ffff:127.0.0.1", "::127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1"),
    *("::ffff:10.0.0.1", "::10.0.0.1", "2002:a00:1::", "64:ff9b::a00:1"),
    *("::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"),
)
"""Loopback, private and metadata addresses as IPv6 writes IPv4: mapped, compatible, 6to4, NAT64."""

PRIVATE = (
    *("10.0.0.1", "10.255.255.254", "172.16.0.1", "172.31.255.254", "192.168.0.1"),
    *("192.168.1.1", "100.64.0.1", "198.18.0.1", "fc00::1", "fd00::1"),
)
"""Private networks, carrier NAT, benchmarks, unique local addresses."""

LINK = ("169.254.169.254", "169.254.0.1", "fe80::1", "fec0::1")
"""The link, and the cloud's metadata service on it."""

MULTICAST = ("224.0.0.1", "239.255.255.250", "255.255.255.255", "ff02::1", "ff0e::1")
"""Many at once."""

STRANGERS = ("8.8.8.8", "192.0.2.1", "203.0.113.200", "2001:db8::1")
"""The rest of the internet, for which the relay is not either."""
