"""What a playout buffer counts."""

from dataclasses import dataclass

__all__ = ["PlayoutStats"]


@dataclass(slots=True)
class PlayoutStats:
    """What became of the packets.

    Attributes:
        received_packets: All that were inserted.
        played_packets: Handed out, whole.
        late_packets: Came after their turn.
        duplicate_packets: Came again.
        discarded_packets: Left out to shorten the delay, or because the stream started over.
        misfit_packets: Their payload is not a whole number of frames.
        lost_packets: Missing when their turn came and not seen since.
        concealed_frames: Ticks on which the owner was asked to conceal.
        resyncs: Times the stream started over.
    """

    received_packets: int = 0
    played_packets: int = 0
    late_packets: int = 0
    duplicate_packets: int = 0
    discarded_packets: int = 0
    misfit_packets: int = 0
    lost_packets: int = 0
    concealed_frames: int = 0
    resyncs: int = 0
