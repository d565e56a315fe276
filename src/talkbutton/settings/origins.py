"""Origins that an operator may allow: one website, or all names below a domain. Pure.

    https://www.shop.example         this origin
    https://shop.example:8443        this origin, this port
    https://*.shop.example           one or more whole labels below, never shop.example itself

Source: RFC 6454 and the HTML standard ("ASCII serialization of an origin": small letters, names in
punycode, no default port), which is what browsers send; RFC 5891 with UTS 46 (punycode).
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address

import idna

__all__ = ["BadOriginError", "OriginPattern", "parse_origin_pattern"]

_FORM = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>\[[^\]/]*\]|[^:/?#@\s]*)(?::(?P<port>[0-9]{1,5}))?",
    re.IGNORECASE,
)
_HOST = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_HOST_MAX_CHARS = 253
_PORT_MAX = 65_535
_DEFAULT_PORTS = {"http": 80, "https": 443}
_WILDCARD = "*."

# Registries that hand out names on the second level, then hosts where anybody gets a name.
_SHARED = """
co.uk org.uk ac.uk gov.uk me.uk ltd.uk plc.uk net.uk com.au net.au org.au co.nz org.nz co.jp or.jp
ne.jp ac.jp co.kr com.br net.br org.br com.cn net.cn org.cn com.hk com.tw com.sg com.my co.in net.in
org.in co.id com.mx com.ar com.co com.tr com.ua com.pl co.il co.za com.pt com.es com.gr co.at or.at

github.io gitlab.io pages.dev workers.dev netlify.app vercel.app now.sh web.app firebaseapp.com
appspot.com run.app herokuapp.com onrender.com fly.dev surge.sh glitch.me repl.co replit.app
blogspot.com wordpress.com wixsite.com webflow.io myshopify.com squarespace.com azurewebsites.net
azurestaticapps.net cloudfront.net amazonaws.com s3.amazonaws.com elasticbeanstalk.com ngrok.io
ngrok.app ngrok-free.app trycloudflare.com translate.goog codepen.io codesandbox.io stackblitz.io
"""
_SHARED_DOMAINS = frozenset(_SHARED.split())
"""Domains under which strangers own names. Not all of them: no list of these is ever whole."""

_EXAMPLE = 'write scheme, host and, if it has one, port, such as "https://www.shop.example"'


class BadOriginError(ValueError):
    """An origin that cannot be allowed.

    Attributes:
        problem: What is wrong with it, to follow its text.
        hint: What to write instead.
    """

    def __init__(self, problem: str, hint: str = _EXAMPLE) -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint


@dataclass(frozen=True, slots=True)
class OriginPattern:
    """An origin, or all origins below a domain.

    Attributes:
        text: How it is written, as browsers write origins.
        below: For a wildcard, scheme and ``://``; None for one origin.
        domain: For a wildcard, ``.domain`` and port.
    """

    text: str
    below: str | None = None
    domain: str = ""

    def matches(self, origin: str) -> bool:
        """Return whether a browser's ``origin`` is meant."""
        if self.below is None:
            return origin == self.text
        if not (origin.startswith(self.below) and origin.endswith(self.domain)):
            return False
        labels = origin[len(self.below) : len(origin) - len(self.domain)]
        return len(origin) <= _HOST_MAX_CHARS and _HOST.fullmatch(labels) is not None


def parse_origin_pattern(text: str) -> OriginPattern:
    """Return what ``text`` allows.

    Raises:
        BadOriginError: If it is no origin, or would allow strangers' websites.
    """
    if text == "null":
        raise BadOriginError(
            "is the origin of sandboxed frames and local files, thus of anybody",
            "serve the page from a web server and name its origin",
        )
    found = _FORM.fullmatch(text)
    if found is None:
        problem = "would allow every website" if text == "*" else "is not an origin"
        raise BadOriginError(problem)
    scheme = found["scheme"].lower()
    if scheme not in _DEFAULT_PORTS:
        raise BadOriginError("does not begin with http:// or https://")
    port = int(found["port"] or _DEFAULT_PORTS[scheme])
    if not 1 <= port <= _PORT_MAX:
        raise BadOriginError("has a port that does not exist")
    suffix = "" if port == _DEFAULT_PORTS[scheme] else f":{port}"
    if not found["host"].startswith("*"):
        return OriginPattern(f"{scheme}://{_ascii_host(found['host'])}{suffix}")
    domain = _ascii_domain(found["host"], scheme)
    return OriginPattern(
        f"{scheme}://{_WILDCARD}{domain}{suffix}", f"{scheme}://", f".{domain}{suffix}"
    )


def _ascii_domain(host: str, scheme: str) -> str:
    """Return the domain of a wildcard, when all names below it have one owner."""
    example = 'write a domain of your own after it, such as "https://*.shop.example"'
    if not host.startswith(_WILDCARD) or len(host) == len(_WILDCARD):
        raise BadOriginError("has a * that is not a whole label before a domain", example)
    domain = _ascii_host(host.removeprefix(_WILDCARD))
    if domain.startswith("[") or domain.rpartition(".")[2].isdigit():
        raise BadOriginError("has a * before an IP address", example)
    if "." not in domain or domain in _SHARED_DOMAINS:
        raise BadOriginError("would allow strangers' websites", example)
    if scheme != "https":
        raise BadOriginError(
            "has a * without https: whoever is on the way can forge such pages", example
        )
    return domain


def _ascii_host(host: str) -> str:
    if host.startswith("["):
        return f"[{_ip_address(host[1:-1])}]"
    try:
        ascii_host = (host if host.isascii() else idna.encode(host, uts46=True).decode()).lower()
    except idna.IDNAError:
        raise BadOriginError("has a name that does not exist") from None
    if len(ascii_host) > _HOST_MAX_CHARS or _HOST.fullmatch(ascii_host) is None:
        problem = (
            "has a * that is not a whole label in front" if "*" in host else "has no valid host"
        )
        raise BadOriginError(problem)
    return _ip_address(ascii_host) if ascii_host.rpartition(".")[2].isdigit() else ascii_host


def _ip_address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise BadOriginError("has no valid IP address") from None
