"""A browser's candidates on their way to Janus: bounded, in order, kept until they may go."""

from talkbutton.protocols.janus.requests import Candidate, Trickle

__all__ = ["CANDIDATES_MAX", "CandidateQueue"]

CANDIDATES_MAX = 50
"""Candidates of one call; more are dropped and counted."""


class CandidateQueue:
    """Candidates that wait, and the word that there are no more.

    Attributes:
        dropped: Candidates beyond ``CANDIDATES_MAX``.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._taken = 0
        self._waiting: list[Candidate] = []
        self._is_completed = False
        self._is_completion_told = False

    def put(self, candidate: Candidate | None) -> None:
        """Take one; None says that it was the last, and what follows is ignored."""
        if self._is_completed:
            return
        if candidate is None:
            self._is_completed = True
        elif self._taken == CANDIDATES_MAX:
            self.dropped += 1
        else:
            self._taken += 1
            self._waiting.append(candidate)

    def take(self) -> Trickle | None:
        """Return what waits, as one request; None if nothing does."""
        has_news = bool(self._waiting) or (self._is_completed and not self._is_completion_told)
        if not has_news:
            return None
        trickle = Trickle(tuple(self._waiting), self._is_completed)
        self._waiting.clear()
        self._is_completion_told = self._is_completed
        return trickle
