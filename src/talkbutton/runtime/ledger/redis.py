"""Holds in Redis or Valkey, which the edges of many machines share.

Each step is one Lua script, which the server runs alone. A key's holds are a sorted set of holders
by their end, and a hash of the weights other than 1; a holder's keys are a set. Everything has a
time to live, so that what nobody asks for again is gone by itself.

The server must keep what it is given: ``maxmemory-policy noeviction``. The scripts reach keys that
they make from names, so it may have replicas, but not be a Redis Cluster.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from talkbutton.errors import ConnectionLost, StackError
from talkbutton.rules.admission.claims import Claim, Full
from talkbutton.runtime.ledger.interface import STEP_MAX_S
from talkbutton.runtime.ledger.redis_steps import RELEASE, RENEW, SETTLE, TAKE, WEIGH

__all__ = ["RedisLedger"]

_SOCKET_TIMEOUT_S = 1.5
_CONNECTIONS_MAX = 32
_HEALTH_CHECK_EVERY_S = 5


class RedisLedger:
    """See ``Ledger``.

    Args:
        url: Such as ``redis://127.0.0.1:6379/0``, without the password.
        password: The server's password; None if it has none.
    """

    def __init__(self, url: str, password: str | None = None) -> None:
        self._url = url
        pool = BlockingConnectionPool.from_url(
            url,
            password=password,
            max_connections=_CONNECTIONS_MAX,
            timeout=_SOCKET_TIMEOUT_S,
            socket_timeout=_SOCKET_TIMEOUT_S,
            socket_connect_timeout=_SOCKET_TIMEOUT_S,
            health_check_interval=_HEALTH_CHECK_EVERY_S,
            # A step that was lost may have been done: asking again could count the call twice.
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )
        self._client = Redis(connection_pool=pool)
        self._scripts = {
            text: self._client.register_script(text)
            for text in (TAKE, RENEW, SETTLE, RELEASE, WEIGH)
        }

    async def open(self) -> None:
        """Ask whether the server is there; see ``Ledger``."""
        try:
            await self._run(WEIGH, "0", "")
        except ConnectionLost as exc:
            await self.close()
            hint = "start Redis or Valkey, or check limits.redis_url and redis_password"
            raise StackError("ledger", str(exc), hint=hint) from exc

    async def close(self) -> None:
        """Close the connections; see ``Ledger``."""
        await self._client.aclose()
        await self._client.connection_pool.disconnect()

    async def take(self, holder: str, claims: Sequence[Claim], *, now_unix: float) -> Full | None:
        """Take all claims or none; see ``Ledger``."""
        flat: list[str] = []
        for claim in claims:
            flat += [claim.key, repr(claim.limit), repr(claim.weight), repr(claim.until_unix)]
        found = await self._run(TAKE, repr(now_unix), holder, *flat)
        if not found:
            return None
        claim = claims[int(found[0])]
        return Full(claim, float(found[1]) if found[1] else claim.until_unix)

    async def renew(self, holder: str, *keys: str, until_unix: float, now_unix: float) -> bool:
        """Move holds' end; see ``Ledger``."""
        return bool(await self._run(RENEW, repr(now_unix), holder, repr(until_unix), *keys))

    async def settle(self, holder: str, key: str, *, weight: float, now_unix: float) -> bool:
        """Change a hold's weight; see ``Ledger``."""
        return bool(await self._run(SETTLE, repr(now_unix), holder, key, repr(weight)))

    async def release(self, holder: str, *keys: str) -> None:
        """End holds; see ``Ledger``."""
        await self._run(RELEASE, holder, *keys)

    async def weigh(self, key: str, *, now_unix: float) -> float:
        """Sum what is held; see ``Ledger``."""
        return float(await self._run(WEIGH, repr(now_unix), key))

    async def _run(self, script: str, *arguments: str) -> Any:
        try:
            async with asyncio.timeout(STEP_MAX_S):
                return await self._scripts[script](args=arguments)
        except (RedisError, OSError, TimeoutError) as exc:
            why = str(exc) or "no answer in time"
            raise ConnectionLost(f"the ledger at {self._url} cannot be used: {why}") from exc
