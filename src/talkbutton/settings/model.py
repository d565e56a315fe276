"""What an operator may set, with types, ranges and defaults. Pure.

``Settings`` is ``talkbutton.toml``; ``Secrets`` is ``talkbutton.secrets.toml`` beside it. Every
part's configuration is rendered from the two; see ``talkbutton.rules.render``.
"""

from ipaddress import ip_address
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

__all__ = [
    "SETTINGS_VERSION",
    "AsteriskSettings",
    "BotSettings",
    "BridgeSecrets",
    "BridgeSettings",
    "EdgeSecrets",
    "EdgeSettings",
    "JanusSettings",
    "KeeperSecrets",
    "NetworkSettings",
    "PortRange",
    "Secrets",
    "Settings",
    "SiteSettings",
    "SpeechSettings",
    "TurnSettings",
    "loopback_or_private",
]

SETTINGS_VERSION = 1
"""The version that this program reads and writes."""

Port = Annotated[int, Field(ge=1, le=65_535)]
Address = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F.:]+$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
Extension = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,16}$")]
Secret = Annotated[SecretStr, Field(min_length=32, max_length=90)]
"""Long enough for HS256; short enough for the buffer into which Janus copies the SIP password."""


class _Block(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, strict=True
    )


class PortRange(_Block):
    """UDP ports of one part, both ends included."""

    first: Port
    """First port."""

    last: Port
    """Last port, inclusive."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.first > self.last:
            raise ValueError(f"first {self.first} is above last {self.last}")
        return self

    def overlaps(self, other: "PortRange") -> bool:
        """Return whether the two ranges share a port."""
        return self.first <= other.last and other.first <= self.last


class NetworkSettings(_Block):
    """Where the parts are, as addresses."""

    media_address: Address | Literal["auto"] = "auto"
    """Address of this machine that browsers send media to (Janus) and that coturn relays to.
    ``auto`` takes the address of the default route. Never a loopback address: browsers and Janus
    leave those out."""

    announced_address: Address | None = None
    """The public address that stands for ``media_address`` behind a 1:1 NAT; none without NAT."""

    private_address: Address = "127.0.0.1"
    """Where everything private listens: the Janus API, Asterisk's SIP, ARI and RTP, the bridge."""


class EdgeSettings(_Block):
    """The public HTTP and WebSocket server."""

    listen_address: Address = "127.0.0.1"
    """Address it listens on. Loopback until you say otherwise."""

    port: Port = 8080
    """TCP port it listens on."""

    public_url: Annotated[str, StringConstraints(pattern=r"^https?://[^/?#]+$")] = (
        "http://127.0.0.1:8080"
    )
    """Scheme, host and port under which browsers reach it. Browsers allow the microphone only on
    https pages, and on http for 127.0.0.1 and localhost."""

    grant_ttl_s: Annotated[int, Field(ge=30, le=120)] = 60
    """Seconds a grant may wait before it starts its call."""


class SiteSettings(_Block):
    """One website that may show the button."""

    allowed_origins: tuple[str, ...] = ("http://127.0.0.1:8080", "http://localhost:8080")
    """Origins (scheme, host, port) of the pages that may start calls."""

    extension: Extension = "7000"
    """The extension that this site's visitors reach."""

    call_duration_max_s: Annotated[int, Field(ge=10, le=14_400)] = 600
    """A call ends after so many seconds."""

    ice_transport_policy: Literal["all", "relay"] = "all"
    """``relay`` sends all media through TURN."""


class TurnSettings(_Block):
    """coturn, and the credentials minted for it."""

    listen_address: Address | Literal["auto"] = "auto"
    """Address coturn listens on. ``auto`` is loopback while ``edge.listen_address`` is, and
    ``network.media_address`` otherwise."""

    port: Port = 3478
    """UDP and TCP port."""

    tls_port: Port = 5349
    """TLS port; open when a certificate is set."""

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


class JanusSettings(_Block):
    """The Janus WebRTC gateway with its SIP plugin."""

    api_port: Port = 8188
    """TCP port of the WebSocket API, on ``network.private_address``."""

    rtp_ports: PortRange = PortRange(first=30_000, last=34_999)
    """UDP ports for browsers' media, on ``network.media_address``."""

    sip_rtp_ports: PortRange = PortRange(first=20_000, last=24_999)
    """UDP ports for media between Janus and Asterisk, on ``network.private_address``."""


class AsteriskSettings(_Block):
    """The PBX: one restricted context that reaches the bot and nothing else."""

    sip_port: Port = 5060
    """UDP port for SIP, on ``network.private_address``."""

    http_port: Port = 8088
    """TCP port of ARI, on ``network.private_address``."""

    rtp_ports: PortRange = PortRange(first=12_000, last=15_999)
    """UDP ports of all RTP that Asterisk sends and receives; four for each call."""


class BridgeSettings(_Block):
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


class BotSettings(_Block):
    """What talks with the visitor."""

    kind: Literal["local", "echo"] = "local"
    """``local`` is the bot in the box; ``echo`` repeats what it hears, for measurements."""

    knowledge_dir: str = "knowledge"
    """Folder of Markdown files with questions and answers, relative to the settings file."""

    greeting: Annotated[str, StringConstraints(min_length=1, max_length=400)] = (
        "Hello, this is the assistant of the Sunrise bicycle shop. How can I help you?"
    )
    """What the bot says first."""

    unknown: Annotated[str, StringConstraints(min_length=1, max_length=400)] = (
        "I am sorry, I do not know that. Could you ask in other words, or say: a real person?"
    )
    """What the bot says below the threshold."""

    hand_over: Annotated[str, StringConstraints(min_length=1, max_length=400)] = (
        "I can not connect you from here. Please call us, or write to us, "
        "and a person will help you."
    )
    """What the bot says when the visitor wants a person."""

    goodbye: Annotated[str, StringConstraints(min_length=1, max_length=400)] = (
        "Thank you for calling. Goodbye!"
    )
    """What the bot says before it hangs up."""

    answer_threshold: Annotated[float, Field(ge=0.0, le=1.0)] = 0.45
    """Least similarity (cosine) between a question and a known one for it to be answered."""

    end_of_turn_silence_ms: Annotated[int, Field(ge=100, le=2_000)] = 300
    """Silence that ends the visitor's turn."""


class SpeechSettings(_Block):
    """The models that hear and speak, in processes of their own."""

    transcriber_threads: Annotated[int, Field(ge=1, le=16)] = 1
    """CPU threads for one recognition."""

    voice_threads: Annotated[int, Field(ge=1, le=16)] = 1
    """CPU threads for one synthesis."""


class Settings(_Block):
    """Everything one deployment needs; Janus, coturn and Asterisk are rendered from it."""

    version: Literal[1]
    """Version of this file's form."""

    network: NetworkSettings = NetworkSettings()
    edge: EdgeSettings = EdgeSettings()
    sites: Annotated[dict[Name, SiteSettings], Field(min_length=1)] = {"default": SiteSettings()}
    turn: TurnSettings = TurnSettings()
    janus: JanusSettings = JanusSettings()
    asterisk: AsteriskSettings = AsteriskSettings()
    bridge: BridgeSettings = BridgeSettings()
    bot: BotSettings = BotSettings()
    speech: SpeechSettings = SpeechSettings()

    def turn_address(self, media_address: str) -> str:
        """Return the address coturn listens on, given what ``network.media_address`` is."""
        if self.turn.listen_address != "auto":
            return self.turn.listen_address
        edge = ip_address(self.edge.listen_address)
        return self.edge.listen_address if edge.is_loopback else media_address

    @model_validator(mode="after")
    def _media_ranges_disjoint(self) -> Self:
        ranges = {
            "turn.relay_ports": self.turn.relay_ports,
            "janus.rtp_ports": self.janus.rtp_ports,
            "janus.sip_rtp_ports": self.janus.sip_rtp_ports,
            "asterisk.rtp_ports": self.asterisk.rtp_ports,
            "bridge.rtp_ports": self.bridge.rtp_ports,
        }
        names = list(ranges)
        for i, one in enumerate(names):
            for other in names[i + 1 :]:
                if ranges[one].overlaps(ranges[other]):
                    raise ValueError(f"{one} and {other} overlap: every part needs its own ports")
        return self

    @model_validator(mode="after")
    def _private_is_private(self) -> Self:
        if not loopback_or_private(self.network.private_address):
            raise ValueError(
                f"network.private_address {self.network.private_address} is a public address: "
                "the Janus API, SIP and ARI must not be reachable from outside"
            )
        return self


class Secrets(_Block):
    """What no log, page, process list or commit may show. Each part is given only its own."""

    grant_key: Secret
    """Signs visitors' grants. Edge only."""

    ticket_key: Secret
    """Signs the ticket that a call carries to the bridge. Edge and bridge."""

    turn_secret: Secret
    """coturn's ``static-auth-secret``. Edge and coturn."""

    janus_api_secret: Secret
    """Asked for by Janus on every request. Edge, keeper and Janus."""

    janus_admin_secret: Secret
    """Janus's admin API, which stays closed. Janus only."""

    sip_password: Secret
    """Of the one SIP identity that Janus calls with. Keeper and Asterisk."""

    ari_password: Secret
    """Of the bridge's ARI user. Bridge and Asterisk."""


class EdgeSecrets(_Block):
    """What ``talkbutton edge`` may know."""

    grant_key: Secret
    ticket_key: Secret
    turn_secret: Secret
    janus_api_secret: Secret


class KeeperSecrets(_Block):
    """What ``talkbutton keeper`` may know."""

    janus_api_secret: Secret
    sip_password: Secret


class BridgeSecrets(_Block):
    """What ``talkbutton bridge`` may know."""

    ari_password: Secret
    ticket_key: Secret


def loopback_or_private(address: str) -> bool:
    """Return whether ``address`` can't be reached from the public internet.

    Raises:
        ValueError: If it is not an IP address.
    """
    parsed = ip_address(address)
    return parsed.is_loopback or parsed.is_private
