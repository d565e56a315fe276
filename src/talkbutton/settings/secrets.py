"""What no log, page, process list or commit may show, and which part may know what. Pure.

A secret with a ``_previous`` beside it is rotated with overlap: the new one signs, both are
accepted until the old one is dropped.
"""

from collections.abc import Mapping

from talkbutton.settings.blocks import Block, Secret

__all__ = [
    "PREVIOUS",
    "BridgeSecrets",
    "EdgeSecrets",
    "KeeperSecrets",
    "Secrets",
    "hidden_secrets",
    "parts_that_know",
]

_SHORTEST = 32
PREVIOUS = "_previous"
"""Ends the name of the value before a rotation."""


class Secrets(Block):
    """``talkbutton.secrets.toml``. Each part is given only its own."""

    grant_key: Secret
    """Signs visitors' grants. Edge only."""

    grant_key_previous: Secret | None = None
    """The one before, still accepted while grants signed with it live. Edge only."""

    ticket_key: Secret
    """Signs the ticket that a call carries to the bridge. Edge and bridge."""

    ticket_key_previous: Secret | None = None
    """The one before, still accepted by the bridge. Bridge only."""

    challenge_key: Secret
    """Signs proof-of-work challenges. Edge only."""

    challenge_provider_secret: Secret | None = None
    """What Turnstile, hCaptcha or reCAPTCHA gave the owner for verification. Edge only."""

    turn_secret: Secret
    """coturn's ``static-auth-secret``. Edge and coturn."""

    turn_secret_previous: Secret | None = None
    """The one before, still accepted by coturn. coturn only."""

    janus_api_secret: Secret
    """Asked for by Janus on every request. Edge, keeper and Janus."""

    janus_token_secret: Secret
    """Signs the tokens that Janus asks for beside the API secret. Edge, keeper and Janus."""

    janus_admin_secret: Secret
    """Janus's admin API, which stays closed. Janus only."""

    sip_password: Secret
    """Of the one SIP identity that Janus calls with. Keeper and Asterisk."""

    ari_password: Secret
    """Of the bridge's ARI user. Bridge and Asterisk."""

    redis_password: Secret | None = None
    """Of the Redis or Valkey server that ``limits.redis_url`` names. Edge only."""


class EdgeSecrets(Block):
    """What ``talkbutton edge`` may know."""

    grant_key: Secret
    grant_key_previous: Secret | None = None
    ticket_key: Secret
    challenge_key: Secret
    challenge_provider_secret: Secret | None = None
    turn_secret: Secret
    janus_api_secret: Secret
    janus_token_secret: Secret
    redis_password: Secret | None = None


class KeeperSecrets(Block):
    """What ``talkbutton keeper`` may know."""

    janus_api_secret: Secret
    janus_token_secret: Secret
    sip_password: Secret


class BridgeSecrets(Block):
    """What ``talkbutton bridge`` may know."""

    ari_password: Secret
    ticket_key: Secret
    ticket_key_previous: Secret | None = None


_KNOWN_BY: Mapping[str, frozenset[str]] = {
    "coturn": frozenset({"turn_secret", "turn_secret_previous"}),
    "asterisk": frozenset({"sip_password", "ari_password"}),
    "janus": frozenset({"janus_api_secret", "janus_token_secret", "janus_admin_secret"}),
    "keeper": frozenset(KeeperSecrets.model_fields),
    "bridge": frozenset(BridgeSecrets.model_fields),
    "edge": frozenset(EdgeSecrets.model_fields),
}


def parts_that_know(name: str) -> tuple[str, ...]:
    """Return the parts that may know a secret; those that check it come before who signs."""
    return tuple(part for part, names in _KNOWN_BY.items() if name in names)


def hidden_secrets() -> Secrets:
    """Return what stands for the secrets where somebody looks: their names."""
    return Secrets.model_validate(
        {
            name: f"hidden-{name.replace('_', '-')}".ljust(_SHORTEST, "-")
            for name, one in Secrets.model_fields.items()
            if one.is_required()
        }
    )
