"""What the bridge asks of the speech workers, and what they answer.

Every request has an id that its replies repeat. ``Speak`` is answered by any number of ``Spoken``,
the last one marked; ``Cancel`` and ``Forget`` have no answer; all others have one. A request that
cannot be met is answered by ``Failed``. Replies come in the order in which work is finished.

PCM is 16 kHz, signed 16 bit, little-endian, mono; vectors are 32-bit floats, little-endian.
"""

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "WINDOW_BYTES",
    "WINDOW_MS",
    "WINDOW_SAMPLES",
    "Cancel",
    "Detect",
    "Detected",
    "Embed",
    "Embedded",
    "Failed",
    "FailureCode",
    "Forget",
    "Probe",
    "Ready",
    "Reply",
    "Request",
    "Speak",
    "Spoken",
    "Transcribe",
    "Transcribed",
]

WINDOW_MS = 32
"""Length of one window of voice activity detection."""

WINDOW_SAMPLES = 512
"""Samples in one window, at 16 kHz."""

WINDOW_BYTES = WINDOW_SAMPLES * 2
"""Bytes in one window."""

FailureCode = Literal["busy", "late", "invalid", "broken"]
"""``busy``: the queue is full; ``late``: the deadline passed before the work was done;
``invalid``: the request makes no sense to this worker; ``broken``: the model failed."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Are you there, and what are you?"""

    request_id: int


@dataclass(frozen=True, slots=True)
class Detect:
    """How likely is speech in each call's next window?

    Attributes:
        request_id: The request's id.
        calls: Keys of the calls, each once.
        windows: One window of ``WINDOW_BYTES`` for each call, in the same order.
    """

    request_id: int
    calls: tuple[str, ...]
    windows: bytes


@dataclass(frozen=True, slots=True)
class Forget:
    """These calls are over: drop what is kept for them. Has no answer."""

    calls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Transcribe:
    """What is said here?

    Attributes:
        request_id: The request's id.
        deadline_ms: The answer is worthless so many milliseconds after the worker got this.
        pcm: One utterance.
    """

    request_id: int
    deadline_ms: int
    pcm: bytes


@dataclass(frozen=True, slots=True)
class Speak:
    """Say this.

    Attributes:
        request_id: The request's id.
        deadline_ms: Audio is worthless so many milliseconds after the worker got this.
        text: What to say.
        is_background: Nobody waits for it: everything else goes first.
    """

    request_id: int
    deadline_ms: int
    text: str
    is_background: bool = False


@dataclass(frozen=True, slots=True)
class Embed:
    """Where do these texts lie in the space of meanings?"""

    request_id: int
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cancel:
    """The answer to this request is not wanted any more. Has no answer."""

    request_id: int


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker can work.

    Attributes:
        request_id: Of the request.
        part: The worker's name, such as ``speech-voice``.
        model: Name and version of its model; audio of another model is another voice.
    """

    request_id: int
    part: str
    model: str


@dataclass(frozen=True, slots=True)
class Detected:
    """Probability of speech for each call of a ``Detect``, in its order."""

    request_id: int
    probabilities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Transcribed:
    """What was heard.

    Attributes:
        request_id: Of the request.
        text: The words; empty if nothing was said.
        log_probability: Mean over the tokens; below -1 it is a guess.
        took_ms: Milliseconds of work, without waiting.
    """

    request_id: int
    text: str
    log_probability: float
    took_ms: int


@dataclass(frozen=True, slots=True)
class Spoken:
    """A piece of what was to be said; pieces come in order.

    Attributes:
        request_id: Of the request.
        is_last: Nothing follows.
        pcm: The audio; may be empty.
    """

    request_id: int
    is_last: bool
    pcm: bytes


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors of unit length for the texts of an ``Embed``, in its order.

    Attributes:
        request_id: Of the request.
        dimensions: Numbers in each vector.
        vectors: All of them, one after the other.
    """

    request_id: int
    dimensions: int
    vectors: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """The request was not met.

    Attributes:
        request_id: Of the request.
        code: Why, for programs.
        detail: Why, for people.
    """

    request_id: int
    code: FailureCode
    detail: str


Request = Probe | Detect | Forget | Transcribe | Speak | Embed | Cancel
Reply = Ready | Detected | Transcribed | Spoken | Embedded | Failed
