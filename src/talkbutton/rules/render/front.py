"""A reverse proxy before the edge, for automatic certificates, as text for an owner to look at.

Each one passes WebSockets through, tells the visitor's address in ``X-Forwarded-For`` and throws
away what visitors wrote there and in ``Forwarded``. The edge then needs the proxy's address in
``edge.trusted_proxies``, and a public URL that begins with https.

Source: the documentation of Caddy 2 (reverse_proxy), nginx (ngx_http_proxy_module, "WebSocket
proxying") and HAProxy 2.6 (http-request, "timeout tunnel").
"""

from collections.abc import Callable, Mapping
from typing import Literal
from urllib.parse import urlsplit

from talkbutton.rules.render.places import host_port
from talkbutton.rules.render.plain_text import require_plain
from talkbutton.settings.model import Settings

__all__ = ["FRONTS", "Front", "render_front"]

Front = Literal["caddy", "nginx", "haproxy"]

_CALL_SILENCE_S = 60
"""The edge pings every 10 s: a socket that is silent for longer than this is dead."""

_BODY_MAX_KB = 8
_HTTPS_PORT = 443
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def render_front(front: Front, settings: Settings) -> str:
    """Return a proxy's whole configuration file.

    Raises:
        SettingsError: If the public URL can't be written to the file.
    """
    url = urlsplit(settings.edge.public_url)
    name = require_plain(
        url.hostname or "", where="edge.public_url", forbidden="\"'\\;{}# \t$", length_max=253
    )
    listen = settings.edge.listen_address
    edge = host_port(_EVERYWHERE.get(listen, listen), settings.edge.port)
    written = _WRITERS[front](name, url.port or _HTTPS_PORT, edge)
    return "".join(f"{line}\n" for line in (*_advice(front, settings), *written))


def _advice(front: Front, settings: Settings) -> list[str]:
    lines = [f"# {front} before the talkbutton edge; from `talkbutton config front {front}`."]
    lines.append("# Settings that go with it, where the proxy runs on the same machine:")
    lines += ["#   [edge]", '#   trusted_proxies = ["127.0.0.1"]']
    if settings.edge.tls_certificate is not None:
        lines.append(
            "#   and without tls_certificate and tls_key: the proxy speaks http to the edge"
        )
    if not settings.edge.public_url.startswith("https://"):
        lines.append('#   public_url = "https://your.name"  # then render this file again')
    return lines


def _caddy(name: str, port: int, edge: str) -> list[str]:
    return [
        "# Caddy gets and renews the certificate by itself: ports 80 and 443 must be reachable.",
        f"{_site(name, port)} {{",
        f"\trequest_body {{\n\t\tmax_size {_BODY_MAX_KB}KB\n\t}}",
        f"\treverse_proxy {edge} {{",
        "\t\theader_up X-Forwarded-For {remote_host}",
        "\t\theader_up -Forwarded",
        "\t}",
        "}",
    ]


def _site(name: str, port: int) -> str:
    shown = f"[{name}]" if ":" in name else name
    return shown if port == _HTTPS_PORT else f"{shown}:{port}"


def _nginx(name: str, port: int, edge: str) -> list[str]:
    return [
        "# Certificates by certbot: certbot certonly --webroot -w /var/www/html -d NAME",
        "# Include it inside `http { ... }`, such as from /etc/nginx/conf.d/.",
        "map $http_upgrade $talkbutton_connection {",
        "    default upgrade;",
        "    '' '';",
        "}",
        "server {",
        "    listen 80;",
        "    listen [::]:80;",
        f"    server_name {name};",
        "    location /.well-known/acme-challenge/ { root /var/www/html; }",
        f"    location / {{ return 301 https://{name}{_port_suffix(port)}$request_uri; }}",
        "}",
        "server {",
        f"    listen {port} ssl;",
        f"    listen [::]:{port} ssl;",
        f"    server_name {name};",
        f"    ssl_certificate /etc/letsencrypt/live/{name}/fullchain.pem;",
        f"    ssl_certificate_key /etc/letsencrypt/live/{name}/privkey.pem;",
        "    ssl_protocols TLSv1.2 TLSv1.3;",
        "    ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;",
        "    ssl_session_tickets off;",
        f"    client_max_body_size {_BODY_MAX_KB}k;",
        "    client_header_timeout 15s;",
        "    location / {",
        f"        proxy_pass http://{edge};",
        "        proxy_http_version 1.1;",
        "        proxy_set_header Host $host;",
        "        proxy_set_header Upgrade $http_upgrade;",
        "        proxy_set_header Connection $talkbutton_connection;",
        "        proxy_set_header X-Forwarded-For $remote_addr;",
        "        proxy_set_header Forwarded '';",
        f"        proxy_read_timeout {_CALL_SILENCE_S}s;",
        f"        proxy_send_timeout {_CALL_SILENCE_S}s;",
        "    }",
        "}",
    ]


def _port_suffix(port: int) -> str:
    return "" if port == _HTTPS_PORT else f":{port}"


def _haproxy(name: str, port: int, edge: str) -> list[str]:
    return [
        f"# Put chain and key of {name} together into /etc/haproxy/certs/{name}.pem, such as from",
        "# a deploy hook of certbot or acme.sh, and reload haproxy.",
        "global",
        "    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets",
        "    ssl-default-bind-ciphers ECDHE+AESGCM:ECDHE+CHACHA20",
        "defaults",
        "    mode http",
        "    timeout connect 5s",
        "    timeout client 30s",
        "    timeout server 30s",
        "    timeout http-request 15s",
        f"    timeout tunnel {_CALL_SILENCE_S}s",
        "frontend talkbutton",
        "    bind :80",
        f"    bind :{port} ssl crt /etc/haproxy/certs/{name}.pem alpn http/1.1",
        "    http-request redirect scheme https code 301 unless { ssl_fc }",
        "    http-request del-header Forwarded",
        "    http-request set-header X-Forwarded-For %[src]",
        "    default_backend talkbutton",
        "backend talkbutton",
        f"    server edge {edge}",
    ]


_WRITERS: Mapping[Front, Callable[[str, int, str], list[str]]] = {
    "caddy": _caddy,
    "nginx": _nginx,
    "haproxy": _haproxy,
}

FRONTS: tuple[Front, ...] = ("caddy", "nginx", "haproxy")
"""The proxies that can be written for."""
