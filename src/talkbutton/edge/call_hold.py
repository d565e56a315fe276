"""What a living call holds on the ledger: renewed while it lives, let go of at its end.

The leases end by themselves soon after the last renewal, so that an edge that dies without a word
frees them. A ledger that does not answer harms no call that runs: what it forgot meanwhile is taken
again, limits or not, because the call is there.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import replace

from talkbutton.edge.context import EdgeContext
from talkbutton.edge.grants import asked_for
from talkbutton.errors import ConnectionLost
from talkbutton.protocols.signaling import Input, OperatorHungUp
from talkbutton.rules.admission import Claim, Grant
from talkbutton.rules.admission.call_claims import call_lease, revoked_key
from talkbutton.rules.admission.session_claims import kept_claims, lease_claims

__all__ = ["CallHold"]

_log = logging.getLogger("talkbutton.edge")

_BEATS_IN_A_LEASE = 3  # so that one renewal may be late, and another be lost


class CallHold:
    """One call's leases. Cancelling ``run`` lets go of them.

    Args:
        context: The rooms below.
        grant: What the call was started with.
        report: Told when the operator has ended the call.
    """

    def __init__(self, context: EdgeContext, grant: Grant, report: Callable[[Input], None]) -> None:
        self._context = context
        self._call_id = grant.call_id
        self._asked = asked_for(context, grant)
        self._report = report
        self._has_media = False
        self._is_kept = False  # the claims for the hour stay after the call
        self._is_ledger_lost = False
        self._woken = asyncio.Event()

    def confirm_media(self) -> None:
        """Count the call for its hour, because sound has come from the visitor; never waits."""
        self._has_media = True
        self._woken.set()

    async def run(self) -> None:
        """Renew until cancelled, or until the operator has ended the call."""
        try:
            while not await self._beat():
                await self._pause()
            self._report(OperatorHungUp())
        finally:
            await self._let_go()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._lease_s / _BEATS_IN_A_LEASE):
                await self._woken.wait()
        except TimeoutError:
            pass
        self._woken.clear()

    async def _beat(self) -> bool:
        """Renew; return whether the operator has ended the call."""
        now_unix = self._context.wall_clock()
        try:
            is_revoked = await self._renew(now_unix)
            if self._has_media and not self._is_kept:
                await self._keep(now_unix)
        except ConnectionLost as exc:
            self._note_loss(exc)
            return False
        self._is_ledger_lost = False
        return is_revoked

    async def _renew(self, now_unix: float) -> bool:
        until_unix = now_unix + self._lease_s
        leases = self._leases(until_unix)
        if await self._renew_all(leases, until_unix, now_unix):
            return False
        revoked = revoked_key(self._call_id)
        if await self._context.ledger.weigh(revoked, now_unix=now_unix) > 0:
            return True
        await self._take(leases, now_unix)
        return False

    async def _keep(self, now_unix: float) -> None:
        claims = kept_claims(self._asked)
        for claim in claims:
            if not await self._renew_all([claim], claim.until_unix, now_unix):
                await self._take([claim], now_unix)
        self._is_kept = True

    async def _let_go(self) -> None:
        keys = [claim.key for claim in self._leases(0.0)]
        try:
            if self._has_media and not self._is_kept:
                await self._keep(self._context.wall_clock())
                keys = [claim.key for claim in self._leases(0.0)]
            await self._context.ledger.release(self._call_id, *keys)
        except ConnectionLost as exc:
            self._note_loss(exc)

    def _leases(self, until_unix: float) -> list[Claim]:
        """Return what ends with the call; without sound, that is everything."""
        limits = self._context.settings.limits
        kept = () if self._is_kept else kept_claims(self._asked)
        return [
            call_lease(self._call_id, until_unix=until_unix),
            *lease_claims(self._asked, limits, until_unix=until_unix),
            *(replace(claim, until_unix=until_unix) for claim in kept),
        ]

    async def _renew_all(self, claims: list[Claim], until_unix: float, now_unix: float) -> bool:
        keys = [claim.key for claim in claims]
        return await self._context.ledger.renew(
            self._call_id, *keys, until_unix=until_unix, now_unix=now_unix
        )

    async def _take(self, claims: list[Claim], now_unix: float) -> None:
        unlimited = [replace(claim, limit=math.inf) for claim in claims]
        await self._context.ledger.take(self._call_id, unlimited, now_unix=now_unix)

    @property
    def _lease_s(self) -> int:
        return self._context.settings.limits.lease_s

    def _note_loss(self, exc: ConnectionLost) -> None:
        if not self._is_ledger_lost:
            _log.warning("call %s goes on without its leases: %s", self._call_id, exc)
        self._is_ledger_lost = True
