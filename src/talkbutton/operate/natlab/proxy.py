"""The proxy of a strict company: HTTP CONNECT to port 443, and nothing else.

Source: RFC 9110, section 9.3.6 (CONNECT).
"""

import asyncio
import contextlib
import re
import sys

__all__ = ["main", "serve"]

_REQUEST = re.compile(
    rb"CONNECT ([A-Za-z0-9.-]{1,255}|\[[0-9a-fA-F:]{2,45}\]):(\d{1,5}) HTTP/1\.[01]"
)
_HEAD_MAX_BYTES = 8_192
_HEAD_DEADLINE_S = 10.0
_HTTPS_PORT = 443
_CHUNK_BYTES = 65_536


async def serve(address: str, port: int) -> asyncio.Server:
    """Listen on ``address`` and ``port``."""
    return await asyncio.start_server(_serve_one, address, port, limit=_HEAD_MAX_BYTES)


async def _serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.closing(writer):
        try:
            async with asyncio.timeout(_HEAD_DEADLINE_S):
                head = await reader.readuntil(b"\r\n\r\n")
                found = _REQUEST.match(head)
                if found is None or int(found[2]) != _HTTPS_PORT:
                    writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                    await writer.drain()
                    return
                host = found[1].decode().strip("[]")
                upstream = await asyncio.open_connection(host, _HTTPS_PORT)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await _join((reader, writer), upstream)


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _join(one: Ends, other: Ends) -> None:
    copying = [
        asyncio.create_task(_copy(one[0], other[1])),
        asyncio.create_task(_copy(other[0], one[1])),
    ]
    await asyncio.wait(copying, return_when=asyncio.FIRST_COMPLETED)
    for task in copying:
        task.cancel()
    await asyncio.wait(copying)
    other[1].close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()


async def _run(address: str, port: int) -> None:
    async with await serve(address, port) as server:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await server.serve_forever()


def main(address: str, port: str) -> None:
    """Serve until the process is ended."""
    asyncio.run(_run(address, int(port)))


if __name__ == "__main__":
    main(*sys.argv[1:])
