"""What a media port counts, for the call's record."""

from dataclasses import dataclass

__all__ = ["MediaStatistics"]


@dataclass(frozen=True, slots=True)
class MediaStatistics:
    """What was counted, so far.

    Attributes:
        sent_packets: Handed to the system for the peer.
        unsent_packets: That the system did not take.
        received_packets: RTP of the right payload type, from the peer.
        lost_packets: By their sequence numbers; negative where the network duplicates.
        late_packets: Came after their turn to be played.
        duplicate_packets: Came again.
        discarded_packets: Left out to shorten the delay, or because the stream started over.
        misfit_packets: Of a length that is no whole number of frames.
        foreign_packets: From another address than the peer's; dropped.
        early_packets: Came before the peer was pinned; dropped.
        malformed_packets: From the peer but not RTP, or too long, whoever sent it; dropped.
        other_type_packets: From the peer, of another payload type; dropped.
        jitter_ms: Interarrival jitter (RFC 3550, section 6.4.1), in milliseconds.
        playout_delay_ms: How long the latest frame waited, in milliseconds; None while none plays.
        delivered_frames: All frames, made-up ones included.
        concealed_frames: Filled from what was heard before.
        silent_frames: Delivered as silence, since there was nothing.
        resyncs: Times the received stream started over.
        skipped_ticks: Not sent, because the program was held up for more than 100 ms.
        tick_late_max_ms: The latest a tick ever was, in milliseconds.
    """

    sent_packets: int
    unsent_packets: int
    received_packets: int
    lost_packets: int
    late_packets: int
    duplicate_packets: int
    discarded_packets: int
    misfit_packets: int
    foreign_packets: int
    early_packets: int
    malformed_packets: int
    other_type_packets: int
    jitter_ms: float
    playout_delay_ms: float | None
    delivered_frames: int
    concealed_frames: int
    silent_frames: int
    resyncs: int
    skipped_ticks: int
    tick_late_max_ms: float
