"""What media costs: each part alone, and whole calls over loopback.

    python benchmarks/media.py [seconds per run]

A call here is two ``RtpMedia`` ends in one process that send a tone to each other, so that the
figures for one end are half of what is measured. CPU is that of the whole process, kernel
included. Compare on one idle machine only.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import count

import numpy as np
import uvloop

from talkbutton.bridge.media import RtpMedia, StreamStart
from talkbutton.bridge.ports import PortPool
from talkbutton.protocols.audio import LINE_RATE_HZ, CodecName, Frame, open_line_codec
from talkbutton.protocols.rtp import (
    Packetizer,
    PlayoutBuffer,
    RtpPacket,
    encode_packet,
    parse_packet,
)
from talkbutton.settings.model import PortRange

TONE = Frame(
    (8_000 * np.sin(2 * np.pi * 500 * np.arange(320) / LINE_RATE_HZ)).astype("<i2").tobytes(),
    LINE_RATE_HZ,
)
PORTS = PortRange(first=26_500, last=26_999)
CALLS = (1, 10, 50)


def print_cost(name: str, work: Callable[[], object], *, runs: int = 20_000) -> None:
    """Print the mean time of ``work``."""
    began = time.perf_counter()
    for _ in range(runs):
        work()
    cost_us = (time.perf_counter() - began) / runs * 1e6
    print(f"{name:<28} {cost_us:8.2f} us {1e6 / cost_us:12,.0f} a second")


def print_parts() -> None:
    """Print the cost of each pure part."""
    packet = RtpPacket(0, 1, 160, 7, bytes(160))
    datagram = encode_packet(packet)
    packetizer = Packetizer(
        ssrc=1, sequence_number=0, timestamp=0, payload_type=0, samples_per_packet=160
    )
    print_cost("parse_packet", lambda: parse_packet(datagram))
    print_cost("packetize and encode", lambda: encode_packet(packetizer.packetize(packet.payload)))
    print_cost("playout insert and pop", playout_step())
    names: tuple[CodecName, ...] = ("ulaw", "g722")
    for name in names:
        codec = open_line_codec(name)
        payload = codec.encode(TONE.pcm)
        print_cost(f"{name} encode", partial(codec.encode, TONE.pcm), runs=5_000)
        print_cost(f"{name} decode", partial(codec.decode, payload), runs=5_000)


def playout_step() -> Callable[[], object]:
    """Return one tick of a playout buffer with a steady stream."""
    playout = PlayoutBuffer(
        clock_rate_hz=8_000,
        samples_per_frame=160,
        payload_bytes=160,
        delay_min_ms=20,
        delay_max_ms=200,
    )
    numbers = count()
    payload = bytes(160)

    def step() -> object:
        number = next(numbers)
        now = number * 0.02
        playout.insert(
            RtpPacket(0, number & 0xFFFF, number * 160 & 0xFFFF_FFFF, 1, payload), now=now
        )
        return playout.pop(now=now + 0.005)

    return step


async def print_calls(calls: int, codec_name: CodecName, seconds: float) -> None:
    """Run calls over loopback and print what one end costs."""
    ports = PortPool("127.0.0.1", PORTS, rest_s=0.0)
    ends = [
        RtpMedia(
            ports,
            codec_name=codec_name,
            start=StreamStart(number, number, number),
            delay_min_ms=20,
            delay_max_ms=200,
        )
        for number in range(2 * calls)
    ]
    for one, other in zip(ends[::2], ends[1::2], strict=True):
        one.pin_peer(*other.local_address)
        other.pin_peer(*one.local_address)
    cpu_began, began = time.process_time(), time.perf_counter()
    try:
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as tasks:
            for end in ends:
                tasks.create_task(end.run(lambda _: None, lambda: TONE))
    except TimeoutError:
        pass
    cpu_s, took_s = time.process_time() - cpu_began, time.perf_counter() - began
    for end in ends:
        end.close()
    snapshots = [end.snapshot for end in ends]
    ticks = sum(snapshot.delivered_frames for snapshot in snapshots)
    packets = sum(snapshot.received_packets + snapshot.sent_packets for snapshot in snapshots)
    print(
        f"{codec_name} {calls:3} calls: {cpu_s / ticks * 1e6:6.1f} us a tick and end, "
        f"{packets / cpu_s:9,.0f} packets a second and core, "
        f"{100 * cpu_s / took_s / len(ends):5.2f} % of a core an end, "
        f"{sum(snapshot.concealed_frames for snapshot in snapshots)} concealed, "
        f"latest tick {max(snapshot.tick_late_max_ms for snapshot in snapshots):.1f} ms"
    )


def main() -> None:
    """Print all figures."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    print_parts()
    codec_names: tuple[CodecName, ...] = ("ulaw", "g722")
    for codec_name in codec_names:
        for calls in CALLS:
            uvloop.run(print_calls(calls, codec_name, seconds))


if __name__ == "__main__":
    main()
