"""What an operator may set, with types, ranges and defaults. Pure.

``Settings`` is ``talkbutton.toml``; ``Secrets`` is ``talkbutton.secrets.toml`` beside it. Every
part's configuration is rendered from the two; see ``talkbutton.rules.render``.
"""

from ipaddress import ip_address
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from talkbutton.settings.blocks import (
    Address,
    Block,
    Extension,
    Name,
    Network,
    Origin,
    Port,
    PortRange,
)
from talkbutton.settings.firewall import FirewallSettings
from talkbutton.settings.protection import (
    BudgetSettings,
    ChallengeSettings,
    ConsentSettings,
    HoursSettings,
    LimitsSettings,
    Sentence,
    SiteLimits,
)
from talkbutton.settings.secrets import BridgeSecrets, EdgeSecrets, KeeperSecrets, Secrets
from talkbutton.settings.telephony import (
    AsteriskSettings,
    BridgeSettings,
    JanusSettings,
    TurnSettings,
)

__all__ = [
    "SETTINGS_VERSION",
    "AsteriskSettings",
    "BotSettings",
    "BridgeSecrets",
    "BridgeSettings",
    "BudgetSettings",
    "ChallengeSettings",
    "ConsentSettings",
    "EdgeSecrets",
    "EdgeSettings",
    "FirewallSettings",
    "HoursSettings",
    "JanusSettings",
    "KeeperSecrets",
    "LimitsSettings",
    "NetworkSettings",
    "PortRange",
    "Secrets",
    "Settings",
    "SiteLimits",
    "SiteSettings",
    "SpeechSettings",
    "TurnSettings",
    "loopback_or_private",
]

SETTINGS_VERSION = 1
"""The version that this program reads and writes."""


class NetworkSettings(Block):
    """Where the parts are, as addresses."""

    media_address: Address | Literal["auto"] = "auto"
    """Address of this machine that browsers send media to (Janus) and that coturn relays to.
    ``auto`` takes the address of the default route. Never a loopback address: browsers and Janus
    leave those out."""

    announced_address: Address | None = None
    """The public address that stands for ``media_address`` behind a 1:1 NAT; none without NAT."""

    private_address: Address = "127.0.0.1"
    """Where everything private listens: the Janus API, Asterisk's SIP, ARI and RTP, the bridge."""


class EdgeSettings(Block):
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

    grant_prefix_v4_bits: Annotated[int, Field(ge=8, le=32)] = 24
    """A grant is good from its IPv4 address's network of so many bits: phones change addresses."""

    grant_prefix_v6_bits: Annotated[int, Field(ge=16, le=128)] = 56
    """The same for IPv6."""

    trusted_proxies: tuple[Network, ...] = ()
    """Addresses or networks of reverse proxies whose ``Forwarded`` or ``X-Forwarded-For`` is
    believed. Nobody else's is."""

    forwarded_header: Literal["x-forwarded-for", "forwarded"] = "x-forwarded-for"
    """The header that those proxies write themselves. The other one is ignored, because a proxy
    that does not know it passes on what a visitor wrote there."""

    tls_certificate: str | None = None
    """PEM file with the certificate chain for https, relative to the settings file. Not needed
    behind a reverse proxy."""

    tls_key: str | None = None
    """PEM file with the certificate's private key."""

    sockets_max: Annotated[int, Field(ge=10, le=100_000)] = 2_000
    """Connections at once, of all kinds."""

    sockets_per_address_max: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Connections at once from one address; IPv6 counts by its /64. A call holds one."""

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("edge.tls_certificate and edge.tls_key go together")
        if self.tls_certificate is not None and not self.public_url.startswith("https://"):
            raise ValueError(
                f"edge.tls_certificate is set, but edge.public_url {self.public_url} is not https"
            )
        return self


class SiteSettings(Block):
    """One website that may show the button."""

    allowed_origins: Annotated[tuple[Origin, ...], Field(max_length=1_000)] = (
        "http://127.0.0.1:8080",
        "http://localhost:8080",
    )
    """Origins (scheme, host, port) of the pages that may start calls. ``https://*.shop.example``
    means all names below a domain of your own, one or more labels deep, not the domain itself.
    Pages without an origin, or with ``null``, never may."""

    extension: Extension = "7000"
    """The extension that this site's visitors reach."""

    call_duration_max_s: Annotated[int, Field(ge=10, le=14_400)] = 600
    """A call ends after so many seconds."""

    ice_transport_policy: Literal["all", "relay"] = "all"
    """``relay`` sends all media through TURN."""

    maintenance: Sentence | None = None
    """While set, nobody can call, and the button says this."""

    limits: SiteLimits = SiteLimits()
    budget: BudgetSettings = BudgetSettings()
    challenge: ChallengeSettings = ChallengeSettings()
    hours: HoursSettings = HoursSettings()
    consent: ConsentSettings = ConsentSettings()

    @model_validator(mode="after")
    def _budget_fits_a_call(self) -> Self:
        minutes = self.call_duration_max_s / 60
        costs = {
            "minutes_per_day": (self.budget.minutes_per_day, minutes),
            "money_per_day": (self.budget.money_per_day, minutes * self.budget.price_per_minute),
        }
        for name, (limit, cost) in costs.items():
            if limit is not None and cost > limit:
                raise ValueError(
                    f"budget.{name} {limit:g} is less than the {cost:g} of one call of "
                    f"call_duration_max_s {self.call_duration_max_s}: nobody could ever call"
                )
        return self


class BotSettings(Block):
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

    ending_soon: Annotated[str, StringConstraints(min_length=1, max_length=400)] = (
        "Our time is almost up. This call will end in a moment."
    )
    """What the bot says ``limits.warning_s`` before the longest duration, at the next pause."""

    answer_threshold: Annotated[float, Field(ge=0.0, le=1.0)] = 0.45
    """Least similarity (cosine) between a question and a known one for it to be answered."""

    end_of_turn_silence_ms: Annotated[int, Field(ge=100, le=2_000)] = 300
    """Silence that ends the visitor's turn."""


class SpeechSettings(Block):
    """The models that hear and speak, in processes of their own."""

    transcriber_threads: Annotated[int, Field(ge=1, le=16)] = 1
    """CPU threads for one recognition."""

    voice_threads: Annotated[int, Field(ge=1, le=16)] = 1
    """CPU threads for one synthesis."""


class Settings(Block):
    """Everything one deployment needs; Janus, coturn and Asterisk are rendered from it."""

    version: Literal[1]
    """Version of this file's form."""

    network: NetworkSettings = NetworkSettings()
    edge: EdgeSettings = EdgeSettings()
    limits: LimitsSettings = LimitsSettings()
    sites: Annotated[dict[Name, SiteSettings], Field(min_length=1)] = {  # noqa: RUF012 - frozen
        "default": SiteSettings()
    }
    turn: TurnSettings = TurnSettings()
    janus: JanusSettings = JanusSettings()
    asterisk: AsteriskSettings = AsteriskSettings()
    bridge: BridgeSettings = BridgeSettings()
    bot: BotSettings = BotSettings()
    speech: SpeechSettings = SpeechSettings()
    firewall: FirewallSettings = FirewallSettings()

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


def loopback_or_private(address: str) -> bool:
    """Return whether ``address`` can't be reached from the public internet.

    Raises:
        ValueError: If it is not an IP address.
    """
    parsed = ip_address(address)
    return parsed.is_loopback or parsed.is_private
