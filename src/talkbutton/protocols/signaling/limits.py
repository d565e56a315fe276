"""How much one visitor may say on one signaling socket."""

from collections.abc import Mapping

from talkbutton.events import Scalar
from talkbutton.protocols.signaling.effects import Effect, Record

__all__ = ["MessageBudget", "Reports"]

_STATS_INTERVAL_S = 1.0
_ICE_STATES_MAX = 200


class MessageBudget:
    """A token bucket for the rate, and a count for the whole session.

    Args:
        rate_hz: Messages a second that may go on for ever.
        burst_messages: Messages that may come at once.
        total_messages: Messages in all.
    """

    def __init__(self, *, rate_hz: float, burst_messages: int, total_messages: int) -> None:
        self._rate_hz = rate_hz
        self._burst_messages = float(burst_messages)
        self._left_messages = total_messages
        self._tokens = float(burst_messages)
        self._filled_at: float | None = None

    def take(self, *, now: float) -> bool:
        """Return whether one more message is allowed at ``now`` (monotonic seconds)."""
        if self._filled_at is not None:
            grown = self._tokens + max(0.0, now - self._filled_at) * self._rate_hz
            self._tokens = min(self._burst_messages, grown)
        self._filled_at = now
        if self._tokens < 1.0 or self._left_messages < 1:
            return False
        self._tokens -= 1.0
        self._left_messages -= 1
        return True


class Reports:
    """What a visitor's own reports may add to the call's record.

    Reports beyond the limits are left out without ending the call: nothing depends on them.
    """

    def __init__(self) -> None:
        self._stats_at: float | None = None
        self._ice_states_left = _ICE_STATES_MAX

    def take_stats(self, measures: Mapping[str, Scalar], *, now: float) -> list[Effect]:
        """Record measurements, once a second at most."""
        if self._stats_at is not None and now - self._stats_at < _STATS_INTERVAL_S:
            return []
        self._stats_at = now
        return [Record("browser.stats", "browser", measures)]

    def take_ice_state(self, ice: str) -> list[Effect]:
        """Record a change of the ICE state, so many in all."""
        if self._ice_states_left < 1:
            return []
        self._ice_states_left -= 1
        return [Record("browser.ice_state", "browser", {"ice": ice})]
