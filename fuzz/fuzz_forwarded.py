"""Feeds arbitrary headers to who reads forwarded addresses and origins.

Allowed outcomes: an IP address, which is never one that the client wrote; a boolean. Run it by
itself for a number of seconds:

    python fuzz/fuzz_forwarded.py 60
"""

import random
from ipaddress import ip_address, ip_network

from fuzzing import fuzz

from talkbutton.protocols.forwarded import FORWARDED, X_FORWARDED_FOR, client_address
from talkbutton.rules.admission.origin import is_origin_allowed
from talkbutton.settings.origins import BadOriginError, parse_origin_pattern

_PROXY = "10.0.0.1"
_CLIENT = "198.51.100.9"
_TRUSTED = (ip_network("10.0.0.0/8"),)
_ALLOWED = ("https://*.shop.example", "https://one.example")
_PIECES = (
    b"for=6.6.6.6",
    b'for="[2001:db8::6]:66"',
    b"6.6.6.6",
    b"10.0.0.2",
    b";proto=https",
    b';host="',
    b'"',
    b"\\",
    b",",
    b";",
    b"for=",
    b"unknown",
    b"https://a.shop.example",
    b"https://*.shop.example:8443",
    b".shop.example",
    b"\xc3\xa9",
    b"\x00",
)

SEEDS = _PIECES
"""What a coverage-guided run starts from."""


def check_one_input(fuzzed: bytes) -> None:
    """Let a client write it before what its proxy appends; let a page be of that origin."""
    text = fuzzed.decode("utf-8", "surrogateescape")
    plain, standard = f"{text}, {_CLIENT}", f"{text}, for={_CLIENT};proto=https"
    for values, header in (
        ([plain], X_FORWARDED_FOR),
        ([text, _CLIENT], X_FORWARDED_FOR),
        ([standard], FORWARDED),
        ([text, f'for="{_CLIENT}:4711"'], FORWARDED),
    ):
        found = client_address(_PROXY, values, header=header, trusted=_TRUSTED)
        assert found == _CLIENT or len(text) > 1_900, found
    for header in (X_FORWARDED_FOR, FORWARDED):
        found = client_address(_PROXY, [text], header=header, trusted=_TRUSTED)
        assert str(ip_address(found)) == found
        assert client_address("203.0.113.1", [text], header=header, trusted=_TRUSTED) != "6.6.6.6"
    if is_origin_allowed(text, _ALLOWED):
        assert text == "https://one.example" or text.endswith(".shop.example"), text
        assert text.startswith("https://"), text
        assert not set(text.removeprefix("https://")) & set("/\\@:#?[] %"), text
    try:
        pattern = parse_origin_pattern(text)
    except BadOriginError:
        return
    assert parse_origin_pattern(pattern.text) == pattern


def _mutate(source: random.Random) -> bytes:
    """Return pieces of headers, some with a byte changed."""
    fuzzed = bytearray(b"".join(source.choices(_PIECES, k=source.randrange(8))))
    for _ in range(source.randrange(3)):
        at = source.randrange(len(fuzzed) + 1)
        fuzzed[at : at + source.randrange(2)] = source.randbytes(source.randrange(3))
    return bytes(fuzzed)


if __name__ == "__main__":
    fuzz(check_one_input, _mutate)
