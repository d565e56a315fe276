"""What an operator may set of coturn, Janus, Asterisk and the bridge. Pure."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from talkbutton.settings.blocks import Address, AddressPort, Block, Port, PortRange

__all__ = ["AsteriskSettings", "BridgeSettings", "JanusSettings", "TurnSettings"]


class TurnSettings(Block):
    """coturn, and the credentials minted for it."""

    listen_address: Address | Literal["auto"] = "auto"
    """Address coturn listens on. ``auto`` is loopback while ``edge.listen_address`` is, and
    ``network.media_address`` otherwise."""

    port: Port = 3478
    """UDP and TCP port."""

    tls_port: Port = 5349
    """TLS port; open when a certificate is set."""

    also_listen: tuple[AddressPort, ...] = ()
    """More addresses and ports to listen on, such as ``203.0.113.11:443``: some networks let
    nothing but 443 out, and the edge has that port of its own address. Browsers must reach them as
    they stand here. UDP, TCP, and TLS when a certificate is set."""

    tls_certificate: str | None = None
    """PEM file with the certificate chain for TURN over TLS, relative to the settings file."""

    tls_key: str | None = None
    """PEM file with the certificate's private key."""

    relay_ports: PortRange = PortRange(first=40_000, last=40_999)
    """UDP ports that relayed media leaves from."""

    realm: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]{1,127}$")] = "talkbutton"
    """The TURN realm."""

    credentials_ttl_s: Annotated[int, Field(ge=60, le=86_400)] = 300
    """Lifetime of one visitor's credentials, in seconds. coturn tests it when an allocation is
    first authenticated: it must cover page load, connecting and an ICE restart."""

    user_quota: Annotated[int, Field(ge=1, le=1_000)] = 12
    """Allocations one visitor may hold at once. A browser makes one or two for each URL."""

    total_quota: Annotated[int, Field(ge=1, le=100_000)] = 600
    """Allocations in all."""

    relay_bytes_per_s_max: Annotated[int, Field(ge=12_000, le=1_000_000)] = 25_000
    """Bytes a second that one allocation may carry, each way; what is above is dropped. A call
    takes 5,000 with Opus as browsers send it and 9,700 with G.711."""

    total_bytes_per_s_max: Annotated[int, Field(ge=12_000, le=10_000_000_000)] = 15_000_000
    """Bytes a second of all allocations, each way. coturn sets ``relay_bytes_per_s_max`` aside for
    each one and refuses those that no longer fit."""

    def other_listeners(self) -> list[tuple[str, int]]:
        """Return the addresses and ports of ``also_listen`` as values."""
        parted = (text.rpartition(":") for text in self.also_listen)
        return [(host.strip("[]"), int(port)) for host, _, port in parted]

    @model_validator(mode="after")
    def _one_fits_in_total(self) -> Self:
        if self.relay_bytes_per_s_max > self.total_bytes_per_s_max:
            raise ValueError("relay_bytes_per_s_max is above total_bytes_per_s_max")
        return self


class JanusSettings(Block):
    """The Janus WebRTC gateway with its SIP plugin."""

    api_port: Port = 8188
    """TCP port of the WebSocket API, on ``network.private_address``."""

    rtp_ports: PortRange = PortRange(first=30_000, last=34_999)
    """UDP ports for browsers' media, on ``network.media_address``."""

    sip_rtp_ports: PortRange = PortRange(first=20_000, last=24_999)
    """UDP ports for media between Janus and Asterisk, on ``network.private_address``."""


class AsteriskSettings(Block):
    """The PBX: one restricted context that reaches the bot and nothing else."""

    sip_port: Port = 5060
    """UDP port for SIP, on ``network.private_address``."""

    http_port: Port = 8088
    """TCP port of ARI, on ``network.private_address``."""

    rtp_ports: PortRange = PortRange(first=12_000, last=15_999)
    """UDP ports of all RTP that Asterisk sends and receives; four for each call."""


class BridgeSettings(Block):
    """VoiceBridge: media between Asterisk and the bot."""

    rtp_ports: PortRange = PortRange(first=16_000, last=17_999)
    """UDP ports for ExternalMedia, on ``network.private_address``; one for each call."""

    codec: Literal["ulaw", "g722"] = "ulaw"
    """Format between Asterisk and the bridge. g722 carries the wider band of Opus callers."""

    playout_delay_min_ms: Annotated[int, Field(ge=20, le=400, multiple_of=20)] = 20
    """Least depth of the jitter buffer. Each millisecond is heard as lag."""

    playout_delay_max_ms: Annotated[int, Field(ge=40, le=1_000, multiple_of=20)] = 200
    """Greatest depth of the jitter buffer. More survives worse networks."""

    calls_max: Annotated[int, Field(ge=1, le=1_000)] = 100
    """Calls this bridge takes at once; one more is refused."""

    @model_validator(mode="after")
    def _delays_ordered(self) -> Self:
        if self.playout_delay_min_ms > self.playout_delay_max_ms:
            raise ValueError("playout_delay_min_ms is above playout_delay_max_ms")
        return self
