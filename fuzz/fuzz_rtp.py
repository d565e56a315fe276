"""Feeds arbitrary bytes to the RTP parser and the playout buffer.

Allowed outcomes: a value, or ``ProtocolError`` from the parser. Run it by itself for a number of
seconds:

    python fuzz/fuzz_rtp.py 60
"""

import random

from fuzzing import fuzz

from talkbutton.errors import ProtocolError
from talkbutton.protocols.rtp import (
    PlayoutBuffer,
    ReceptionStats,
    RtpPacket,
    encode_packet,
    parse_packet,
)

_SEEDS = (
    encode_packet(RtpPacket(0, 1, 160, 7, bytes(8))),
    encode_packet(RtpPacket(9, 65_535, 4_294_967_295, 7, bytes(16), csrcs=(1, 2), padding_bytes=4)),
    b"\xb1\x00\x00\x01" + bytes(8) + bytes(4) + b"\xbe\xde\x00\x01abcd" + bytes(8) + b"\x01",
)


def check_one_input(fuzzed: bytes) -> None:
    """Parse the bytes as one packet, and as a row of packets that are played."""
    _check_parser(fuzzed)
    playout = PlayoutBuffer(
        clock_rate_hz=8_000,
        samples_per_frame=160,
        payload_bytes=4,
        delay_min_ms=20,
        delay_max_ms=60,
    )
    reception = ReceptionStats(clock_rate_hz=8_000)
    now = 0.0
    for start in range(0, len(fuzzed) - 8, 9):
        piece = fuzzed[start : start + 9]
        now += piece[0] / 4_000
        if piece[0] & 1:
            playout.pop(now=now)
            continue
        sequence_number = int.from_bytes(piece[1:3], "big")
        timestamp = int.from_bytes(piece[3:7], "big")
        packet = RtpPacket(0, sequence_number, timestamp, piece[7] & 1, bytes(piece[8] % 13))
        playout.insert(packet, now=now)
        reception.update(packet, now=now)
    stats = playout.stats
    assert stats.received_packets == (
        stats.played_packets
        + stats.late_packets
        + stats.duplicate_packets
        + stats.discarded_packets
        + stats.misfit_packets
        + playout.waiting_packets
    ), stats


def _check_parser(fuzzed: bytes) -> None:
    try:
        packet = parse_packet(fuzzed)
    except ProtocolError:
        return
    assert parse_packet(encode_packet(packet)) == packet


def _mutate(source: random.Random) -> bytes:
    """Return a seed with some bytes changed, inserted, cut off or repeated."""
    fuzzed = bytearray(source.choice(_SEEDS) if source.random() < 0.5 else b"")
    fuzzed += source.randbytes(source.choice((0, 1, 9, 90, 900)))
    for _ in range(source.randrange(4)):
        if fuzzed:
            fuzzed[source.randrange(len(fuzzed))] = source.choice((0, 1, 0x7F, 0x80, 0x90, 0xFF))
    if source.random() < 0.3:
        del fuzzed[source.randrange(len(fuzzed) + 1) :]
    return bytes(fuzzed) * source.choice((1, 1, 1, 5))


if __name__ == "__main__":
    fuzz(check_one_input, _mutate)
