"""What holds for every deployment, whatever its settings."""

import re
import string
from ipaddress import ip_address
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.errors import SettingsError
from talkbutton.rules.render import Places, TelephonyPart, render_all, start_command
from talkbutton.settings.model import Secrets, Settings

pytestmark = pytest.mark.core

OWN_SECRETS: dict[TelephonyPart, set[str]] = {
    "coturn": set(),
    "asterisk": {"sip_password", "ari_password"},
    "janus": {"janus_api_secret", "janus_token_secret", "janus_admin_secret"},
}

_letters = st.text(string.ascii_letters + string.digits + "-_", min_size=16, max_size=60)


def _bounded(number: int) -> st.SearchStrategy[str]:
    """Return secrets whose own bounds keep one from being a piece of another."""
    return _letters.map(lambda text: f"<{number}{text}{number}>".center(34, "."))


_secrets = st.fixed_dictionaries(
    {name: _bounded(number) for number, name in enumerate(Secrets.model_fields)}
)
_ipv4 = st.ip_addresses(v=4).map(str)
_private = st.sampled_from(["127.0.0.1", "10.1.2.3", "192.168.7.7", "::1", "fd12::3"])
_extensions = st.lists(st.from_regex(r"[0-9]{1,16}", fullmatch=True), min_size=1, max_size=5)


@st.composite
def _settings(draw: st.DrawFn) -> Settings:
    extensions = draw(_extensions)
    return Settings.model_validate(
        {
            "version": 1,
            "network": {
                "private_address": draw(_private),
                "announced_address": draw(st.none() | _ipv4),
            },
            "turn": draw(st.sampled_from([{}, {"tls_certificate": "c.pem", "tls_key": "k.pem"}])),
            "sites": {f"s{i}": {"extension": number} for i, number in enumerate(extensions)},
        }
    )


def _rendered(
    settings: Settings, secrets: dict[str, str], media: str = "198.51.100.7"
) -> dict[TelephonyPart, dict[PurePosixPath, str]]:
    return render_all(settings, Secrets.model_validate(secrets), Places(media))


@given(_settings(), _secrets)
def test_a_part_holds_its_own_secrets_and_no_others(
    settings: Settings, secrets: dict[str, str]
) -> None:
    for part, files in _rendered(settings, secrets).items():
        text = "\n".join(files.values())
        held = {name for name, value in secrets.items() if value in text}
        assert held == OWN_SECRETS[part]


@given(_settings(), _secrets)
def test_only_the_media_address_is_a_peer(settings: Settings, secrets: dict[str, str]) -> None:
    lines = "".join(_rendered(settings, secrets)["coturn"].values()).splitlines()
    peers = [line for line in lines if "peer-ip" in line]
    assert peers == [
        "denied-peer-ip=0.0.0.0-255.255.255.255",
        "denied-peer-ip=::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "allowed-peer-ip=198.51.100.7",
    ]
    assert "allow-loopback-peers" not in lines
    assert "no-auth" not in lines


@given(_settings(), _secrets)
def test_only_the_sites_extensions_can_be_dialled(
    settings: Settings, secrets: dict[str, str]
) -> None:
    text = _rendered(settings, secrets)["asterisk"][PurePosixPath("extensions.conf")]
    dialled = re.findall(r"^exten => ([^,]*),1,(\w+)\(", text, flags=re.MULTILINE)
    extensions = {site.extension for site in settings.sites.values()}
    assert dialled == [(number, "Stasis") for number in sorted(extensions)]
    assert set(re.findall(r",(\w+)\(", text)) == {"Stasis", "Hangup"}


@given(_settings(), _secrets)
def test_what_is_private_is_bound_to_the_private_address(
    settings: Settings, secrets: dict[str, str]
) -> None:
    rendered = _rendered(settings, secrets)
    private = settings.network.private_address
    host = f"[{private}]" if ip_address(private).version == 6 else private
    asterisk, janus = rendered["asterisk"], rendered["janus"]
    assert f"\nbind = {host}:5060\n" in asterisk[PurePosixPath("pjsip.conf")]
    assert f"\nmedia_address = {private}\n" in asterisk[PurePosixPath("pjsip.conf")]
    assert f"\nbindaddr = {private}\n" in asterisk[PurePosixPath("http.conf")]
    sockets = janus[PurePosixPath("janus.transport.websockets.jcfg")]
    assert f'\tws_ip = "{private}"\n' in sockets
    assert "\tadmin_ws = false\n" in sockets
    sip = janus[PurePosixPath("janus.plugin.sip.jcfg")]
    for name in ("local_ip", "local_media_ip", "sdp_ip"):
        assert f'\t{name} = "{private}"\n' in sip


def test_an_ipv6_media_address_switches_ipv6_on() -> None:
    secrets = dict.fromkeys(Secrets.model_fields, "s" * 32)
    rendered = _rendered(Settings(version=1), secrets, media="2001:db8::7")
    assert "\tipv6 = true\n" in rendered["janus"][PurePosixPath("janus.jcfg")]
    turn = rendered["coturn"][PurePosixPath("turnserver.conf")]
    assert "\nallowed-peer-ip=2001:db8::7\n" in turn
    assert "\nallocation-default-address-family=ipv6\n" in turn


@pytest.mark.parametrize("media", ["10.1.2.3", "fd12::3"])
def test_what_is_private_can_not_be_where_visitors_may_relay_to(media: str) -> None:
    secrets = dict.fromkeys(Secrets.model_fields, "s" * 32)
    settings = Settings.model_validate({"version": 1, "network": {"private_address": media}})
    with pytest.raises(SettingsError, match=r"network\.private_address"):
        _rendered(settings, secrets, media=media)


def test_a_media_address_must_be_one() -> None:
    secrets = dict.fromkeys(Secrets.model_fields, "s" * 32)
    with pytest.raises(ValueError, match="auto"):
        _rendered(Settings(version=1), secrets, media="auto")


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        (
            "sip_password",
            "a-comment;from-here-on-to-the-line-end",
            "pjsip.conf [talkbutton] password",
        ),
        ("ari_password", "two-lines\n[evil]-user-made-by-the-other", "ari.conf [bridge] password"),
        (
            "janus_api_secret",
            "two-lines\nof-secret-and-some-more-of-it",
            "janus.jcfg general.token_auth_secret",
        ),
        (
            "janus_admin_secret",
            "ends-with-a-blank-after-all-these-words ",
            "janus.jcfg general.admin_secret",
        ),
    ],
)
def test_a_secret_that_can_not_be_written_is_refused_by_name(
    name: str, value: str, path: str
) -> None:
    secrets = dict.fromkeys(Secrets.model_fields, "s" * 32) | {name: value}
    with pytest.raises(SettingsError) as refused:
        _rendered(Settings(version=1), secrets)
    assert refused.value.path == path
    assert value.strip() not in str(refused.value)


def test_start_commands_name_their_files_and_no_secret() -> None:
    places = Places("198.51.100.7", config=PurePosixPath("/c"))
    assert start_command("coturn", places) == ("/usr/bin/turnserver", "-c", "/c/turnserver.conf")
    assert start_command("asterisk", places) == (
        *("/usr/sbin/asterisk", "-f"),
        *("-C", "/c/asterisk.conf"),
    )
    assert start_command("janus", places) == ("/usr/bin/janus", "-F", "/c")
