"""What a bot has said and the caller has not yet heard. Pure.

Audio is counted in samples, so that what was played and what was cut add up to what was queued,
exactly. An utterance may be queued in pieces; pieces that follow each other leave no gap.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass

from talkbutton.bots.interface import Heard
from talkbutton.protocols.audio.frame import LINE_FRAME_BYTES, LINE_RATE_HZ

__all__ = ["PlayQueue", "Progress"]

_SAMPLE_BYTES = 2
_UTTERANCES_REMEMBERED = 200


@dataclass(slots=True)
class Progress:
    """How far one utterance has come.

    Attributes:
        queued_samples: All that was ever queued of it.
        played_samples: What was taken for playing.
        left_samples: What is still queued.
    """

    queued_samples: int = 0
    played_samples: int = 0
    left_samples: int = 0


class PlayQueue:
    """Utterances in, 20 ms frames out."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[str, memoryview]] = deque()
        self._progress: OrderedDict[str, Progress] = OrderedDict()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to play."""
        return not self._pieces

    def say(self, utterance_id: str, pcm: bytes) -> None:
        """Queue 16 kHz 16-bit mono PCM of any length.

        Raises:
            ValueError: If it ends in the middle of a sample.
        """
        if len(pcm) % _SAMPLE_BYTES:
            raise ValueError(f"{len(pcm)} bytes are no whole number of 16-bit samples")
        progress = self._progress.setdefault(utterance_id, Progress())
        if not pcm:
            return
        progress.queued_samples += len(pcm) // _SAMPLE_BYTES
        progress.left_samples += len(pcm) // _SAMPLE_BYTES
        self._pieces.append((utterance_id, memoryview(pcm)))
        self._forget_old()

    def next_frame(self) -> bytes | None:
        """Return the next 20 ms; silence fills the last frame; None if nothing is queued."""
        if not self._pieces:
            return None
        frame = bytearray()
        while self._pieces and len(frame) < LINE_FRAME_BYTES:
            utterance_id, piece = self._pieces.popleft()
            taken = piece[: LINE_FRAME_BYTES - len(frame)]
            if len(taken) < len(piece):
                self._pieces.appendleft((utterance_id, piece[len(taken) :]))
            frame += taken
            progress = self._progress[utterance_id]
            progress.played_samples += len(taken) // _SAMPLE_BYTES
            progress.left_samples -= len(taken) // _SAMPLE_BYTES
        return bytes(frame.ljust(LINE_FRAME_BYTES, b"\0"))

    def cut(self) -> list[Heard]:
        """Drop all that is queued; return the utterances that had audio left, oldest first."""
        cut_ids = list(dict.fromkeys(utterance_id for utterance_id, _ in self._pieces))
        self._pieces.clear()
        for utterance_id in cut_ids:
            self._progress[utterance_id].left_samples = 0
        return [
            Heard(
                utterance_id,
                _to_ms(self._progress[utterance_id].played_samples),
                _to_ms(self._progress[utterance_id].queued_samples),
            )
            for utterance_id in cut_ids
        ]

    def played_ms(self, utterance_id: str) -> int:
        """Return how much of an utterance was played; 0 for one that is not known any more."""
        return _to_ms(self.progress(utterance_id).played_samples)

    def progress(self, utterance_id: str) -> Progress:
        """Return how far an utterance has come, in samples."""
        return self._progress.get(utterance_id, Progress())

    def _forget_old(self) -> None:
        while len(self._progress) > _UTTERANCES_REMEMBERED:
            oldest, progress = next(iter(self._progress.items()))
            if progress.left_samples:
                return
            del self._progress[oldest]


def _to_ms(samples: int) -> int:
    return samples * 1000 // LINE_RATE_HZ
