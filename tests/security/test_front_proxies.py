"""The rendered proxies, running: they pass sockets through and do not let visitors lie."""

import asyncio
import json
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Origin, Subprotocol

from support.certificates import write_certificate
from support.edge_rig import ORIGIN, SETTINGS, running_edge
from talkbutton.edge.server import listen
from talkbutton.rules.render import FRONTS, Front, render_front
from talkbutton.settings.model import Settings

pytestmark = [pytest.mark.security, pytest.mark.anyio]

START_DEADLINE_S = 15.0
VISITOR = "127.0.0.77"
LIES = {"X-Forwarded-For": "6.6.6.6", "Forwarded": "for=6.6.6.6"}


def trusting(*, header: str = "x-forwarded-for", proxies: tuple[str, ...]) -> Settings:
    edge = SETTINGS.edge.model_copy(update={"trusted_proxies": proxies, "forwarded_header": header})
    return SETTINGS.model_copy(update={"edge": edge})


def free_port() -> int:
    with listen("127.0.0.1", 0) as listener:
        return int(listener.getsockname()[1])


def placed_in(folder: Path, front: Front, edge_port: int, port: int) -> list[str]:
    """Write the rendered file with this test's ports and certificate; return the command."""
    chain, key = write_certificate(folder)
    edge = SETTINGS.edge.model_copy(
        update={"port": edge_port, "listen_address": "127.0.0.1", "tls_certificate": None}
    )
    text = render_front(front, SETTINGS.model_copy(update={"edge": edge}))
    plain = free_port()
    path = folder / f"{front}.conf"
    if front == "caddy":
        text = text.replace(
            "\ntalk.example {", f"\nhttps://localhost:{port} {{\n\ttls {chain} {key}"
        )
        path.write_text(f"{{\n\tadmin off\n\tauto_https off\n}}\n{text}")
        return ["caddy", "run", "--adapter", "caddyfile", "--config", str(path)]
    if front == "haproxy":
        both = folder / "both.pem"
        both.write_text(chain.read_text() + key.read_text())
        text = text.replace("bind :80\n", f"bind 127.0.0.1:{plain}\n")
        text = text.replace("bind :443", f"bind 127.0.0.1:{port}")
        path.write_text(text.replace("/etc/haproxy/certs/talk.example.pem", str(both)))
        return ["haproxy", "-db", "-f", str(path)]
    for old, new in {
        "    listen [::]:80;\n": "",
        "    listen [::]:443 ssl;\n": "",
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "/etc/letsencrypt/live/talk.example/fullchain.pem": str(chain),
        "/etc/letsencrypt/live/talk.example/privkey.pem": str(key),
    }.items():
        assert old in text
        text = text.replace(old, new)
    head = f"daemon off;\npid {folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n"
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    path.write_text(f"{head}access_log off;\n{temporary}{text}}}\n")
    return ["nginx", "-p", str(folder), "-c", str(path)]


@asynccontextmanager
async def running(command: list[str], port: int) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(START_DEADLINE_S):
            while True:
                if process.returncode is not None:
                    assert process.stderr is not None
                    pytest.fail((await process.stderr.read()).decode())
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                    continue
                writer.close()
                break
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("is_trusted", [True, False])
async def test_a_visitor_behind_it_has_its_own_address_and_can_call(
    tmp_path: Path, front: Front, *, is_trusted: bool
) -> None:
    program = shutil.which(front, path="/usr/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        pytest.skip(f"{front} is not installed; apt-get install {front} runs this test")
    settings = trusting(proxies=("127.0.0.1",) if is_trusted else ())
    async with running_edge(tmp_path, settings=settings) as rig:
        port = free_port()
        command = placed_in(tmp_path, front, rig.port, port)
        async with (
            running([program, *command[1:]], port),
            httpx.AsyncClient(
                transport=httpx.AsyncHTTPTransport(verify=False, local_address=VISITOR),
                base_url=f"https://localhost:{port}",
            ) as visitor,
        ):
            answer = await visitor.post("/v1/sessions", headers={"Origin": ORIGIN, **LIES})
            assert answer.status_code == 201
            assert answer.headers["strict-transport-security"]
            session = answer.json()
            events = await rig.record(session["call_id"], until="session.admitted")
            assert events[0][1]["pii.address"] == (VISITOR if is_trusted else "127.0.0.1")
            too_long = await visitor.post("/v1/sessions", content=b"x" * 20_000)
            assert too_long.status_code in {413, 502}
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            async with connect(
                f"wss://localhost:{port}/v1/signaling",
                origin=Origin(ORIGIN),
                subprotocols=[Subprotocol("talkbutton.v1")],
                additional_headers=LIES,
                ssl=context,
                host="127.0.0.1",
                local_addr=(VISITOR, 0),
            ) as socket:
                await socket.send(json.dumps({"type": "start", "token": session["token"]}))
                assert json.loads(await asyncio.wait_for(socket.recv(), 5))["type"] == "ready"


async def test_a_lie_would_be_believed_if_the_proxy_passed_it_on(tmp_path: Path) -> None:
    """The guard taken away: the edge trusts, and nobody throws the visitor's header away."""
    async with running_edge(tmp_path, settings=trusting(proxies=("127.0.0.1",))) as rig:
        session = (await rig.ask(**LIES)).json()
        events = await rig.record(session["call_id"], until="session.admitted")
    assert events[0][1]["pii.address"] == "6.6.6.6"
