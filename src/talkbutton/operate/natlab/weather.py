"""The internet's weather: takes packets from a tun device, and gives them back later, or not.

Runs in the namespace ``internet``. Both directions pass the one device; each has a link of its
own, told apart by the destination.

Source: Linux, ``Documentation/networking/tuntap.rst``.
"""

import asyncio
import fcntl
import os
import struct
import sys
from ipaddress import ip_address, ip_network

from talkbutton.operate.natlab.link import Link, Weather
from talkbutton.operate.natlab.network import NETWORKS

__all__ = ["main"]

_TUNSETIFF = 0x400454CA
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000
_DEVICE = b"weather"
_PACKET_MAX_BYTES = 65_535
_SERVERS = (ip_network("203.0.113.0/24"), ip_network("2001:db8:10::/64"))


class _Sky:
    """Both directions of the internet, on one device."""

    def __init__(self, device: int, weather: Weather) -> None:
        self._device = device
        self._links = {True: Link[bytes](weather, seed=1), False: Link[bytes](weather, seed=2)}
        self._loop = asyncio.get_running_loop()
        self._alarm: asyncio.TimerHandle | None = None

    def read(self) -> None:
        """Take a packet from the device."""
        packet = os.read(self._device, _PACKET_MAX_BYTES)
        link = self._links[_is_to_server(packet)]
        link.send(packet, now=self._loop.time(), size_bytes=len(packet))
        self._deliver()

    def _deliver(self) -> None:
        now = self._loop.time()
        for link in self._links.values():
            for _, packet in link.receive(now=now):
                os.write(self._device, packet)
        if self._alarm is not None:
            self._alarm.cancel()
        waiting = [at for link in self._links.values() if (at := link.next_arrival) is not None]
        self._alarm = self._loop.call_at(min(waiting), self._deliver) if waiting else None


def _is_to_server(packet: bytes) -> bool:
    if packet[:1] and packet[0] >> 4 == 6:
        destination = ip_address(packet[24:40])
    else:
        destination = ip_address(packet[16:20])
    return any(
        destination in network for network in _SERVERS if network.version == destination.version
    )


async def _blow(weather: Weather) -> None:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", _DEVICE, _IFF_TUN | _IFF_NO_PI))
    asyncio.get_running_loop().add_reader(device, _Sky(device, weather).read)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def main(name: str) -> None:
    """Make the weather of the network ``name`` until the process is ended."""
    weather = NETWORKS[name].weather
    assert weather is not None, name
    asyncio.run(_blow(weather))


if __name__ == "__main__":
    main(sys.argv[1])
