"""Pairs REST requests on an ARI WebSocket with their answers, without I/O.

Every request that is submitted is resolved exactly once: by its answer, or by None when the answer
did not come in time or the socket was lost. Times are monotonic seconds supplied as ``now``.
"""

from dataclasses import dataclass

from talkbutton.protocols.ari.messages import Request, Response, encode_request

__all__ = ["AriRequests", "Resolve", "SendText"]


@dataclass(frozen=True, slots=True)
class SendText:
    """Send this message on the socket."""

    text: str


@dataclass(frozen=True, slots=True)
class Resolve:
    """Tell whoever asked.

    Attributes:
        request_id: The request.
        response: Its answer; None if there is none and will be none.
    """

    request_id: str
    response: Response | None


class AriRequests:
    """Requests that wait for their answers.

    Args:
        reply_timeout_s: Seconds to wait for each answer.
    """

    def __init__(self, *, reply_timeout_s: float = 5.0) -> None:
        self._reply_timeout_s = reply_timeout_s
        self._next_id = 1
        self._deadlines: dict[str, float] = {}  # in order of submission, so of time as well

    @property
    def deadline(self) -> float | None:
        """When ``handle_timeout`` is due next."""
        return next(iter(self._deadlines.values()), None)

    def submit(self, request: Request, *, now: float) -> tuple[str, SendText]:
        """Return the new request's id, and what to send for it."""
        request_id = f"r{self._next_id}"
        self._next_id += 1
        self._deadlines[request_id] = now + self._reply_timeout_s
        return request_id, SendText(encode_request(request, request_id))

    def receive(self, response: Response) -> list[Resolve]:
        """Take an answer; one that nobody waits for changes nothing."""
        if self._deadlines.pop(response.request_id, None) is None:
            return []
        return [Resolve(response.request_id, response)]

    def handle_timeout(self, *, now: float) -> list[Resolve]:
        """Give up on the requests that waited too long."""
        late = [request_id for request_id, at in self._deadlines.items() if at <= now]
        return self._give_up(late)

    def lose(self) -> list[Resolve]:
        """Give up on all requests: the socket is gone."""
        return self._give_up(list(self._deadlines))

    def _give_up(self, request_ids: list[str]) -> list[Resolve]:
        for request_id in request_ids:
            del self._deadlines[request_id]
        return [Resolve(request_id, None) for request_id in request_ids]
