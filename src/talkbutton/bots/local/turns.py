"""Whose turn it is: a pure machine over windows of 32 ms.

    QUIET -- speech --> SPEAKING -- silence --> PAUSED -- more silence --> QUIET (turn ended)
                           ^----- speech --------'

The owner feeds the probability of speech in each window and whether the bot is audible; every call
returns what happened. Time is counted in windows, so there is no clock.

A short silence gives ``SpeechPaused``: recognition can start then and is finished, as a rule, when
the longer silence ends the turn. While the bot is audible, speech must last longer to count, it
does not count in the bot's first moments (a burst of echo before the browser's echo canceller has
settled) nor shortly after another interruption, and when it counts it is a ``BargeIn``.
"""

import enum
import math
from collections import deque
from dataclasses import dataclass
from typing import Self

from talkbutton.protocols.speech import WINDOW_MS

__all__ = [
    "BargeIn",
    "SpeechPaused",
    "SpeechResumed",
    "SpeechStarted",
    "TurnDropped",
    "TurnEnded",
    "TurnEvent",
    "TurnRules",
    "Turns",
]


@dataclass(frozen=True, slots=True)
class TurnRules:
    """When speech starts, interrupts and ends; counts are windows of 32 ms."""

    start_probability: float = 0.5
    """A window at or above this may begin speech."""

    stay_probability: float = 0.35
    """Speech goes on in windows at or above this."""

    start_windows: int = 2
    """Windows of speech in a row that begin it."""

    barge_in_windows: int = 3
    """The same while the bot is audible."""

    startup_ignore_windows: int = 6
    """Speech does not count so long after the bot became audible."""

    cooldown_windows: int = 16
    """No second interruption sooner than this."""

    pause_windows: int = 3
    """Silence that makes a pause."""

    end_windows: int = 10
    """Silence that ends the turn."""

    pre_roll_windows: int = 10
    """Kept from before speech was sure: the first sounds are soft."""

    speech_min_windows: int = 3
    """Less speech than this in a turn was a click or a cough."""

    turn_max_windows: int = 20_000 // WINDOW_MS
    """A turn ends after so long, silence or not."""

    @classmethod
    def with_end_silence(cls, silence_ms: int) -> Self:
        """Return the rules with another silence before a turn ends."""
        end_windows = max(2, math.ceil(silence_ms / WINDOW_MS))
        return cls(end_windows=end_windows, pause_windows=min(3, end_windows - 1))


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The caller speaks.

    Attributes:
        onset_ms_ago: Milliseconds of speech until now.
    """

    onset_ms_ago: int


@dataclass(frozen=True, slots=True)
class BargeIn:
    """The caller speaks over the bot: cut it.

    Attributes:
        onset_ms_ago: Milliseconds of speech until now.
    """

    onset_ms_ago: int


@dataclass(frozen=True, slots=True)
class SpeechPaused:
    """The caller may be done.

    Attributes:
        pcm: All of the turn so far, with the pre-roll and this pause.
    """

    pcm: bytes


@dataclass(frozen=True, slots=True)
class SpeechResumed:
    """The caller was not done."""


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The caller is done.

    Attributes:
        pcm: The turn; that of the last ``SpeechPaused`` if there was one.
        speech_ms: From the first speech to the last.
        silence_ms: Silence that was waited for.
        is_barge_in: It interrupted the bot.
    """

    pcm: bytes
    speech_ms: int
    silence_ms: int
    is_barge_in: bool


@dataclass(frozen=True, slots=True)
class TurnDropped:
    """What had started was too short for speech.

    Attributes:
        is_barge_in: It interrupted the bot.
    """

    is_barge_in: bool


TurnEvent = SpeechStarted | BargeIn | SpeechPaused | SpeechResumed | TurnEnded | TurnDropped


class _State(enum.Enum):
    QUIET = "quiet"
    SPEAKING = "speaking"
    PAUSED = "paused"


class Turns:
    """One call's turns."""

    def __init__(self, rules: TurnRules | None = None) -> None:
        self._rules = rules or TurnRules()
        self._state = _State.QUIET
        self._recent: deque[bytes] = deque(maxlen=self._rules.pre_roll_windows)
        self._run_windows = 0  # speech in a row, as far as it counts
        self._silent_windows = 0  # in a row, within a turn
        self._audible_windows = 0  # since the bot became audible
        self._since_barge_in_windows = self._rules.cooldown_windows
        self._turn: list[bytes] = []  # pre-roll and all windows of the turn
        self._turn_windows = 0  # since the onset
        self._speech_windows = 0  # of them, those with speech
        self._is_barge_in = False

    @property
    def is_quiet(self) -> bool:
        """Whether the caller is not in the middle of a turn."""
        return self._state is _State.QUIET and not self._run_windows

    def hear(self, probability: float, pcm: bytes, *, is_bot_audible: bool) -> list[TurnEvent]:
        """Take the next window.

        Args:
            probability: That it holds speech.
            pcm: Its samples.
            is_bot_audible: Whether the caller hears the bot now.
        """
        self._since_barge_in_windows += 1
        self._audible_windows = self._audible_windows + 1 if is_bot_audible else 0
        is_speech = probability >= self._speech_from()
        counts = is_speech and not self._is_ignored()
        self._run_windows = self._run_windows + 1 if counts else 0
        if self._state is _State.QUIET:
            self._recent.append(pcm)
            return self._hear_in_quiet()
        self._turn.append(pcm)
        self._turn_windows += 1
        return self._interruption() + self._hear_in_turn(is_speech=is_speech)

    def _speech_from(self) -> float:
        is_running = self._run_windows > 0 or self._state is _State.SPEAKING
        return self._rules.stay_probability if is_running else self._rules.start_probability

    def _is_ignored(self) -> bool:
        """Return whether speech must not count, because it may be the bot's own."""
        if not self._audible_windows or self._state is not _State.QUIET:
            return False
        return (
            self._audible_windows <= self._rules.startup_ignore_windows
            or self._since_barge_in_windows <= self._rules.cooldown_windows
        )

    def _hear_in_quiet(self) -> list[TurnEvent]:
        is_over_bot = self._audible_windows > 0
        rules = self._rules
        if self._run_windows < (rules.barge_in_windows if is_over_bot else rules.start_windows):
            return []
        self._state = _State.SPEAKING
        self._turn = list(self._recent)
        self._recent.clear()
        self._turn_windows = self._speech_windows = self._run_windows
        self._silent_windows = 0
        self._is_barge_in = False
        return [SpeechStarted(self._run_windows * WINDOW_MS), *self._interruption()]

    def _interruption(self) -> list[TurnEvent]:
        """Return the ``BargeIn`` that is due, if any."""
        if not self._audible_windows or self._run_windows < self._rules.barge_in_windows:
            return []
        if self._since_barge_in_windows <= self._rules.cooldown_windows:
            return []
        self._since_barge_in_windows = 0
        self._is_barge_in = True
        return [BargeIn(self._run_windows * WINDOW_MS)]

    def _hear_in_turn(self, *, is_speech: bool) -> list[TurnEvent]:
        if is_speech:
            self._speech_windows += 1
            self._silent_windows = 0
            events: list[TurnEvent] = []
            if self._state is _State.PAUSED:
                self._state = _State.SPEAKING
                events.append(SpeechResumed())
            return events + (self._end() if self._is_too_long() else [])
        self._silent_windows += 1
        if self._silent_windows >= self._rules.end_windows or self._is_too_long():
            return self._end()
        if self._silent_windows == self._rules.pause_windows:
            self._state = _State.PAUSED
            return [SpeechPaused(self._pcm())]
        return []

    def _is_too_long(self) -> bool:
        return self._turn_windows >= self._rules.turn_max_windows

    def _pcm(self) -> bytes:
        """Return the turn without silence beyond one pause."""
        surplus = max(0, self._silent_windows - self._rules.pause_windows)
        return b"".join(self._turn[: len(self._turn) - surplus])

    def _end(self) -> list[TurnEvent]:
        pcm = self._pcm()
        self._state = _State.QUIET
        self._recent.extend(self._turn[-self._rules.pre_roll_windows :])
        self._turn = []
        self._run_windows = 0
        if self._speech_windows < self._rules.speech_min_windows:
            return [TurnDropped(self._is_barge_in)]
        speech_windows = self._turn_windows - self._silent_windows
        return [
            TurnEnded(
                pcm,
                speech_windows * WINDOW_MS,
                self._silent_windows * WINDOW_MS,
                self._is_barge_in,
            )
        ]
