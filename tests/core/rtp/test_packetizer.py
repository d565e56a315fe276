import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.protocols.rtp import Packetizer

pytestmark = pytest.mark.core


def packetizer(sequence_number: int = 10, timestamp: int = 1_000) -> Packetizer:
    return Packetizer(
        ssrc=7,
        sequence_number=sequence_number,
        timestamp=timestamp,
        payload_type=9,
        samples_per_packet=160,
    )


def test_numbers_packets_one_after_another() -> None:
    sender = packetizer()
    first, second = sender.packetize(b"a"), sender.packetize(b"b")
    assert (first.sequence_number, first.timestamp) == (10, 1_000)
    assert (second.sequence_number, second.timestamp) == (11, 1_160)
    assert (second.ssrc, second.payload_type, second.payload) == (7, 9, b"b")


def test_time_passes_while_nothing_is_sent() -> None:
    sender = packetizer()
    sender.packetize(b"a")
    sender.skip(3)
    packet = sender.packetize(b"b")
    assert packet.sequence_number == 11
    assert packet.timestamp == 1_000 + 4 * 160


def test_marks_the_first_packet_and_the_first_after_each_pause() -> None:
    sender = packetizer()
    markers = [sender.packetize(b"").marker, sender.packetize(b"").marker]
    sender.skip()
    markers += [sender.packetize(b"").marker, sender.packetize(b"").marker]
    sender.skip(0)
    markers.append(sender.packetize(b"").marker)
    assert markers == [True, False, True, False, False]


@given(
    sequence_number=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFF_FFFF),
    ticks=st.lists(st.booleans(), max_size=50),
)
def test_counters_wrap_as_on_the_wire(
    sequence_number: int, timestamp: int, ticks: list[bool]
) -> None:
    sender = packetizer(sequence_number, timestamp)
    sent = 0
    for tick, is_sent in enumerate(ticks):
        if is_sent:
            packet = sender.packetize(b"")
            assert packet.sequence_number == (sequence_number + sent) % (1 << 16)
            assert packet.timestamp == (timestamp + 160 * tick) % (1 << 32)
            sent += 1
        else:
            sender.skip()
